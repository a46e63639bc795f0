# The fuzzers' seeds, played as a unit test by the build that everybody has (replay.cpp).

# The fuzzer's sources, then LIBS: ours.
function(stem_seeds_test name)
    cmake_parse_arguments(PARSE_ARGV 1 seeds "" "" "LIBS")
    add_executable(${name}_seeds replay.cpp ${name}_fuzz.cpp ${seeds_UNPARSED_ARGUMENTS})
    target_include_directories(${name}_seeds PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${name}_seeds PRIVATE stem_warnings stem_ctl_include fmt::fmt ${seeds_LIBS})
    set(grown ${CMAKE_CURRENT_BINARY_DIR}/grown/${name})
    file(ARCHIVE_EXTRACT INPUT ${CMAKE_CURRENT_SOURCE_DIR}/grown/${name}.tar.xz DESTINATION ${grown})
    add_test(NAME fuzz_seeds.${name} COMMAND ${name}_seeds ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name} ${grown})
    set_tests_properties(fuzz_seeds.${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

stem_seeds_test(sip_message LIBS stem_sip)
stem_seeds_test(mime LIBS stem_sip)
stem_seeds_test(sdp_session LIBS stem_sdp)
stem_seeds_test(fragments LIBS stem_fragment)
stem_seeds_test(decision LIBS stem_call GTest::gtest)
stem_seeds_test(frame ${PROJECT_SOURCE_DIR}/tests/progrun/user_parser.cpp
    ${PROJECT_SOURCE_DIR}/tests/bypass/receiver.cpp ${PROJECT_SOURCE_DIR}/tests/bypass/attacks.cpp
    LIBS stem_test_packet stem_base)
stem_seeds_test(tcp_stream LIBS stem_tcp stem_frame stem_sip)
stem_seeds_test(channel LIBS stem_channel)
stem_seeds_test(credentials LIBS stem_auth)
stem_seeds_test(api LIBS stem_sm)
