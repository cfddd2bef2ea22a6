# Writes OUT, which defines ffe::build_commit(), when the commit is another than before.
#   cmake -DSOURCE=folder -DGIVEN=commit -DOUT=file -P Commit.cmake
set(commit "${GIVEN}")
if(NOT commit)
  find_package(Git QUIET)
  if(GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --dirty --abbrev=10 --exclude=*
                    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
set(text "#include \"base/commit.hpp\"\n\nstd::string ffe::build_commit() {\n  return \"${commit}\";\n}\n")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
