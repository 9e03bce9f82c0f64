# What authors of plugins get: headers, libostler-test, the CMake package and the two pkg-config files. All of it is
# found from where it lies, so a prefix may be moved.
include(CMakePackageConfigHelpers)

file(STRINGS ${PROJECT_SOURCE_DIR}/include/ostler/plugin.h minor REGEX "^#define OST_ABI_MINOR ")
string(REGEX MATCH "[0-9]+" minor "${minor}")
set(OSTLER_ABI_MAJOR 1)
set(OSTLER_ABI ${OSTLER_ABI_MAJOR}.${minor})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ostler DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT Sdk
    FILES_MATCHING PATTERN "*.h")
install(FILES $<TARGET_FILE:ostler_test> DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Sdk)

install(FILES ${PROJECT_SOURCE_DIR}/packaging/man/ostler-plugin.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT Sdk)

# CMake
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Ostler)
configure_package_config_file(cmake/OstlerConfig.cmake.in OstlerConfig.cmake INSTALL_DESTINATION ${package}
    PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(OstlerConfigVersion.cmake VERSION ${OSTLER_ABI} COMPATIBILITY SameMajorVersion)
install(FILES cmake/OstlerPlugin.cmake cmake/ostler-plugin.map ${CMAKE_CURRENT_BINARY_DIR}/OstlerConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/OstlerConfigVersion.cmake DESTINATION ${package} COMPONENT Sdk)

# pkg-config
set(folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH up /x/${folder} /x)
string(REGEX REPLACE "/$" "" up ${up})
set(PC_PREFIX "\${pcfiledir}/${up}")
foreach(name ostler-plugin ostler-test)
    configure_file(cmake/${name}.pc.in ${name}.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${folder} COMPONENT Sdk)
endforeach()
