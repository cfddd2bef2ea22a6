# What `make install`, `make deb` and `make tarball` put where. Completion and man pages come from
# the program itself, so they are made after it is linked.
include(GNUInstallDirs)

set(generated ${CMAKE_BINARY_DIR}/generated)
set(completions)
foreach(shell bash zsh fish)
  list(APPEND completions COMMAND ffe completion ${shell} > ${generated}/ffe.${shell})
endforeach()
add_custom_command(
  OUTPUT ${generated}/stamp
  COMMAND ${CMAKE_COMMAND} -E make_directory ${generated}
  ${completions}
  COMMAND ffe help --manual ${generated}/man -q > ${generated}/stamp
  DEPENDS ffe VERBATIM)
add_custom_target(generated_docs ALL DEPENDS ${generated}/stamp)

# lib/ffe: what the tarball carries along (scripts/tarball). DT_RPATH, not DT_RUNPATH: it counts for
# the libraries there as well.
set_target_properties(ffe ffe-aggregator PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/ffe")
target_link_options(ffe PRIVATE LINKER:--disable-new-dtags)
target_link_options(ffe-aggregator PRIVATE LINKER:--disable-new-dtags)
install(TARGETS ffe ffe-aggregator RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${CMAKE_BINARY_DIR}/share/ffe/contracts DESTINATION ${CMAKE_INSTALL_DATADIR}/ffe
        FILES_MATCHING PATTERN "*.json" PATTERN "verification" EXCLUDE)
install(DIRECTORY ${generated}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${generated}/ffe.bash RENAME ffe
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${generated}/ffe.zsh RENAME _ffe
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${generated}/ffe.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES ${CMAKE_SOURCE_DIR}/packaging/ffe-aggregator.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE
              ${CMAKE_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_PACKAGE_NAME ffe)
set(CPACK_PACKAGE_VENDOR "FFE")
set(CPACK_PACKAGE_CONTACT "FFE contributors <ffe@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "fine-tune one language model together without sharing data")
set(CPACK_PACKAGE_DESCRIPTION
    "Several parties fine-tune one language model on all their rows, and nobody shows them to anybody: each
 encrypts to an attested enclave, which judges every contribution and trains one LoRA adapter.
 This package has the command ffe and the enclave service ffe-aggregator.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
include(CPack)
