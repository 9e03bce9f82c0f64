# Writes FILES, which lie below FOLDER as LANGUAGE/PATH, to the C source TO as runner/cli/plugin/templates.h has them.
set(texts "")
set(table "")
list(SORT FILES)
foreach(file ${FILES})
    string(REGEX MATCH "^([^/]+)/(.+)$" match "${file}")
    set(lang "${CMAKE_MATCH_1}")
    set(path "${CMAKE_MATCH_2}")
    string(MAKE_C_IDENTIFIER "text_${file}" name)
    file(READ "${FOLDER}/${file}" hex HEX)
    # Characters, not a literal: compilers have limits for those.
    string(REGEX REPLACE "(..)" "'\\\\x\\1', " bytes "${hex}")
    string(APPEND texts "static const char ${name}[] = {${bytes}'\\0'};\n")
    string(APPEND table "    {\"${lang}\", \"${path}\", ${name}},\n")
endforeach()
file(WRITE "${TO}" "#include \"cli/plugin/templates.h\"\n\n${texts}
const struct plugin_template plugin_templates[] = {
${table}};
const size_t plugin_templates_count = sizeof plugin_templates / sizeof plugin_templates[0];
")
