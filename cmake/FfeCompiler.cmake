# Compiler settings shared by every target of the project.
add_library(ffe_compiler INTERFACE)
target_compile_options(ffe_compiler INTERFACE
  -Wall -Wextra
  # The gate's evidence must come out equal on every machine: no fused multiply-add by accident.
  -ffp-contract=off
  $<$<BOOL:${FFE_WERROR}>:-Werror>)
if(FFE_SANITIZE)
  target_compile_options(ffe_compiler INTERFACE -fsanitize=${FFE_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(ffe_compiler INTERFACE -fsanitize=${FFE_SANITIZE})
endif()
find_program(FFE_CCACHE ccache)
if(FFE_CCACHE)
  # Paths below the checkout do not count: a second checkout compiles nothing again.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${FFE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
