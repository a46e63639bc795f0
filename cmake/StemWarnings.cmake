# Warnings are errors, and the sanitizers where the preset asks for them.
add_library(stem_warnings INTERFACE)
target_compile_options(stem_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
    -Wcast-qual -Woverloaded-virtual -Wnull-dereference -Wformat=2 -Werror
    # Designated initializers leave out what keeps its default, on purpose.
    -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 sees uninitialised and dangling memory inside std::expected, std::variant and Boost where there
    # is none (GCC bugs 105593, 105562, 107532).
    target_compile_options(stem_warnings INTERFACE
        -Wno-maybe-uninitialized -Wno-null-dereference -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(STEM_SANITIZE)
    target_compile_options(stem_warnings INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(stem_warnings INTERFACE -fsanitize=address,undefined)
endif()
