# Writes a C++ file that holds a text file's bytes. Compilers limit string literals to 64 KiB, so the
# text is an array.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "#include <string_view>\n"
  "namespace ${NAMESPACE} {\n"
  "static constexpr char k_bytes[] = {${bytes} 0};\n"
  "extern const std::string_view ${VARIABLE};\n"
  "const std::string_view ${VARIABLE}{k_bytes, sizeof k_bytes - 1};\n"
  "}\n")
