# SOCI 4.0 as Debian packages it, without CMake files of its own. Gives SOCI::core, SOCI::sqlite3 and SOCI::postgresql
# (which brings libpq: its header names libpq's types).
find_path(SOCI_INCLUDE_DIR soci/soci.h)
find_path(SOCI_SQLITE3_INCLUDE_DIR soci/sqlite3/soci-sqlite3.h)
find_library(SOCI_CORE_LIBRARY soci_core)
find_library(SOCI_SQLITE3_LIBRARY soci_sqlite3)
find_path(SOCI_POSTGRESQL_INCLUDE_DIR soci/postgresql/soci-postgresql.h)
find_library(SOCI_POSTGRESQL_LIBRARY soci_postgresql)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBPQ REQUIRED libpq)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SOCI
    REQUIRED_VARS SOCI_CORE_LIBRARY SOCI_SQLITE3_LIBRARY SOCI_POSTGRESQL_LIBRARY SOCI_INCLUDE_DIR
                  SOCI_SQLITE3_INCLUDE_DIR SOCI_POSTGRESQL_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libsoci-dev")
mark_as_advanced(SOCI_INCLUDE_DIR SOCI_SQLITE3_INCLUDE_DIR SOCI_POSTGRESQL_INCLUDE_DIR SOCI_CORE_LIBRARY
                 SOCI_SQLITE3_LIBRARY SOCI_POSTGRESQL_LIBRARY)

if(SOCI_FOUND AND NOT TARGET SOCI::core)
    # Imported targets' include folders are SYSTEM: SOCI's headers do not pass our warnings.
    add_library(SOCI::core UNKNOWN IMPORTED)
    set_target_properties(SOCI::core PROPERTIES
        IMPORTED_LOCATION ${SOCI_CORE_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${SOCI_INCLUDE_DIR})
    add_library(SOCI::sqlite3 UNKNOWN IMPORTED)
    set_target_properties(SOCI::sqlite3 PROPERTIES
        IMPORTED_LOCATION ${SOCI_SQLITE3_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${SOCI_SQLITE3_INCLUDE_DIR}
        INTERFACE_LINK_LIBRARIES SOCI::core)
    add_library(SOCI::postgresql UNKNOWN IMPORTED)
    set_target_properties(SOCI::postgresql PROPERTIES
        IMPORTED_LOCATION ${SOCI_POSTGRESQL_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES "${SOCI_POSTGRESQL_INCLUDE_DIR};${LIBPQ_INCLUDE_DIRS}"
        INTERFACE_LINK_LIBRARIES "SOCI::core;${LIBPQ_LINK_LIBRARIES}")
endif()
