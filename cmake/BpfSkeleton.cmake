# bpf_skeleton(NAME SOURCE [HEADERS...]): compiles SOURCE to BPF and makes NAME_skeleton, an interface library
# whose <NAME.skel.h> holds the object as `struct NAME_bpf` (a plain `stem` would clash with the C++ namespace).
# Nothing that is generated here is ever committed.
find_program(STEM_BPF_CLANG NAMES clang-19 REQUIRED)
find_program(STEM_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

function(bpf_skeleton name source)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
    set(skeleton_dir ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
    set(skeleton ${skeleton_dir}/${name}.skel.h)
    file(MAKE_DIRECTORY ${skeleton_dir})
    # asm/types.h lives in the multiarch folder, which the bpf target does not search.
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${STEM_BPF_CLANG} -target bpf -mcpu=v3 -std=gnu11 -O2 -g
                -Wall -Wextra -Wconversion -Wno-sign-conversion -Wno-address-of-packed-member -Werror
                -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
                -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}
                -MD -MF ${object}.d
                -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
        DEPENDS ${source}
        DEPFILE ${object}.d
        COMMENT "BPF ${source}"
        VERBATIM)
    add_custom_command(
        OUTPUT ${skeleton}
        COMMAND ${STEM_BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}
        DEPENDS ${object}
        COMMENT "Skeleton ${name}"
        VERBATIM)
    add_custom_target(${name}_skeleton_file DEPENDS ${skeleton})
    add_library(${name}_skeleton INTERFACE)
    add_dependencies(${name}_skeleton ${name}_skeleton_file)
    target_include_directories(${name}_skeleton SYSTEM INTERFACE ${skeleton_dir})
    target_link_libraries(${name}_skeleton INTERFACE PkgConfig::LIBBPF)
endfunction()
