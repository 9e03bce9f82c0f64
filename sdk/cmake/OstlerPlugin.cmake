# ostler_add_plugin and ostler_add_plugin_test: what it takes to build a plugin as the runner wants it. Ostler's own
# plugins are built by the same lines.
#
#     find_package(Ostler 1 REQUIRED COMPONENTS Plugin Test)
#     ostler_add_plugin(docker-push SOURCES docker-push.c)
#     ostler_add_plugin_test(docker-push SOURCES docker-push.c test_docker-push.c)
#
# OSTLER_PROGRAM is the runner that checks and installs; it is looked for in the PATH and where this SDK lies.
cmake_policy(VERSION 3.16...3.25)
set(OSTLER_PLUGIN_MAP "${CMAKE_CURRENT_LIST_DIR}/ostler-plugin.map")

# ostler_add_plugin(NAME [SOURCES file...] [OUTPUT_NAME name] [SERVES commit...] [LEFT_OPEN] [UNCHECKED]): the target NAME, of
# NAME.c or the sources given, is NAME.so or OUTPUT_NAME.so: position independent, with the one symbol that it
# exports, without an undefined symbol (unless LEFT_OPEN: clang's sanitizers are in the program), its tables read only.
# "ostler plugin check" becomes the test NAME-check, where the runner knows it; "cmake --install" puts the plugin into
# lib/ostler/plugins below the prefix as "ostler plugin install" does, where the runner of that prefix finds it.
# SERVES names the commits of an action that this release stands for. UNCHECKED: it is not checked, nor before it is
# installed.
function(ostler_add_plugin name)
    cmake_parse_arguments(PLUGIN "LEFT_OPEN;UNCHECKED" "OUTPUT_NAME" "SOURCES;SERVES" ${ARGN})
    if(NOT PLUGIN_SOURCES)
        set(PLUGIN_SOURCES ${name}.c)
    endif()
    if(NOT PLUGIN_OUTPUT_NAME)
        set(PLUGIN_OUTPUT_NAME ${name})
    endif()
    list(TRANSFORM PLUGIN_SERVES PREPEND "--serves=")

    add_library(${name} MODULE ${PLUGIN_SOURCES})
    set_target_properties(${name} PROPERTIES PREFIX "" OUTPUT_NAME ${PLUGIN_OUTPUT_NAME}
        POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
    target_link_libraries(${name} PRIVATE Ostler::Plugin)
    target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now,-z,noexecstack "-Wl,--version-script=${OSTLER_PLUGIN_MAP}")
    if(NOT PLUGIN_LEFT_OPEN)
        target_link_options(${name} PRIVATE -Wl,-z,defs)
    endif()

    if(PLUGIN_UNCHECKED)
        list(APPEND PLUGIN_SERVES --no-check)
    elseif(OSTLER_PROGRAM AND OSTLER_CAN_CHECK)
        add_test(NAME ${name}-check COMMAND ${OSTLER_PROGRAM} plugin check $<TARGET_FILE:${name}>)
    endif()
    _ostler_install_plugin("${OSTLER_PROGRAM}" $<TARGET_FILE:${name}> ${PLUGIN_SERVES})
endfunction()

# The runner's own "plugin install" at the time of "cmake --install": it writes action.yml and the install record
# beside the object.
function(_ostler_install_plugin program file)
    list(JOIN ARGN " " serves)
    install(CODE "
        if(\"${program}\" MATCHES \"^$|NOTFOUND$\")
            message(FATAL_ERROR \"no 'ostler' was found to install '${file}' with: give it as -DOSTLER_PROGRAM=...\")
        endif()
        set(to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/ostler/plugins\")
        execute_process(COMMAND \"${program}\" plugin install \"${file}\" --to \"\${to}\" ${serves}
            COMMAND_ERROR_IS_FATAL ANY)" COMPONENT Plugins)
endfunction()

# ostler_add_plugin_test(NAME SOURCES file... [LIBS library...]): the test NAME-test, a program of the plugin's own
# sources and its test's, with libostler-test; LIBS are those of a test framework, and of the plugin.
function(ostler_add_plugin_test name)
    cmake_parse_arguments(TEST "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name}-test ${TEST_SOURCES})
    target_link_libraries(${name}-test PRIVATE Ostler::Test ${TEST_LIBS})
    add_test(NAME ${name}-test COMMAND ${name}-test)
endfunction()
