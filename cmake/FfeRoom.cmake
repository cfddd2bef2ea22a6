# ffe_room(NAME [USES room...] [LIBS library...] [PRIVATE library...])
#   One folder, one library, one namespace: builds every .cpp of this folder into ffe_NAME.
#   Includes are written from src/: #include "NAME/header.hpp".
function(ffe_room NAME)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)  # a room that only has headers so far
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()
  add_library(ffe_${NAME} STATIC ${sources})
  add_library(ffe::${NAME} ALIAS ffe_${NAME})
  target_include_directories(ffe_${NAME} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(ffe_${NAME} PUBLIC ffe_compiler ${ROOM_LIBS} PRIVATE ${ROOM_PRIVATE})
  foreach(room ${ROOM_USES})
    target_link_libraries(ffe_${NAME} PUBLIC ffe::${room})
  endforeach()
endfunction()

# ffe_test_options(TARGET)
#   Test code is compiled for the compiler's sake: what it tests is optimised, it is not. Tests run in
#   the source folder, so that their object files do not depend on where that is (ccache).
function(ffe_test_options TARGET)
  target_include_directories(${TARGET} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${TARGET} PRIVATE ffe_compiler)
  target_compile_definitions(${TARGET} PRIVATE FFE_SOURCE_DIR=".")
  target_compile_options(${TARGET} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1;-g1>)
endfunction()

# ffe_test(NAME [PREFIX prefix] [SOURCES file...] [USES room...] [LIBS library...] [TIMEOUT seconds])
#   A GoogleTest executable test_NAME; its CTest names begin with "PREFIX." (default: NAME).
#   Without SOURCES it takes every *_test.cpp of this folder.
function(ffe_test NAME)
  cmake_parse_arguments(T "" "PREFIX;TIMEOUT" "SOURCES;USES;LIBS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  if(NOT T_PREFIX)
    set(T_PREFIX ${NAME})
  endif()
  if(NOT T_SOURCES)
    file(GLOB T_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  endif()
  if(NOT T_SOURCES)
    return()
  endif()
  add_executable(test_${NAME} ${T_SOURCES})
  ffe_test_options(test_${NAME})
  target_link_libraries(test_${NAME} PRIVATE GTest::gtest_main ${T_LIBS})
  foreach(room ${T_USES})
    target_link_libraries(test_${NAME} PRIVATE ffe::${room})
  endforeach()
  gtest_discover_tests(test_${NAME} TEST_PREFIX "${T_PREFIX}." DISCOVERY_MODE PRE_TEST
                       WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} PROPERTIES TIMEOUT ${T_TIMEOUT})
endfunction()

# ffe_embed(TARGET NAMESPACE variable=file ...)
#   Compiles text files into TARGET as `extern const std::string_view variable` of NAMESPACE.
function(ffe_embed TARGET NAMESPACE)
  foreach(pair ${ARGN})
    string(REGEX MATCH "^([^=]+)=(.+)$" _ ${pair})
    set(variable ${CMAKE_MATCH_1})
    get_filename_component(file ${CMAKE_MATCH_2} ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/embed_${variable}.cpp)
    add_custom_command(
      OUTPUT ${generated}
      COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${generated} -DNAMESPACE=${NAMESPACE}
              -DVARIABLE=${variable} -P ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
      DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
      VERBATIM)
    target_sources(${TARGET} PRIVATE ${generated})
  endforeach()
endfunction()
