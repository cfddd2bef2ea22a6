# Takes Debian's static libraries where it has them: the enclave's measured binary then holds what it
# runs, and less is asked of the machine that it is brought to (docs/guide/install.md has the rest).
option(FFE_STATIC "Link static libraries where they are installed" ON)

# The archives (all of them, or nothing changes) instead of the target's shared library.
function(ffe_link_statically target)
  set(found)
  foreach(name ${ARGN})
    find_library(FFE_ARCHIVE_${name} NAMES lib${name}.a)
    mark_as_advanced(FFE_ARCHIVE_${name})
    if(NOT FFE_ARCHIVE_${name})
      message(STATUS "no static lib${name}: ${target} is linked dynamically")
      return()
    endif()
    list(APPEND found ${FFE_ARCHIVE_${name}})
  endforeach()
  get_target_property(type ${target} TYPE)
  if(type STREQUAL INTERFACE_LIBRARY)
    set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${found}")
  else()
    list(POP_FRONT found first)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${first}
                                               INTERFACE_LINK_LIBRARIES "${found}")
  endif()
endfunction()

if(FFE_STATIC)
  ffe_link_statically(PkgConfig::SECP256K1 secp256k1)
  ffe_link_statically(PkgConfig::PCRE2 pcre2-8)
  ffe_link_statically(PkgConfig::LIBEDIT edit bsd md tinfo)
  ffe_link_statically(SQLite::SQLite3 sqlite3)
endif()
