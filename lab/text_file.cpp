// SPDX-License-Identifier: Apache-2.0
#include "lab/text_file.h"

#include <fstream>
#include <sstream>

namespace stem::lab {

Result<std::string> read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    // An empty file leaves failbit behind, which is no error.
    if (!file || (text << file.rdbuf(), file.bad())) {
        return fail_errno("read " + path.string());
    }
    return text.str();
}

Result<> write_text(const std::filesystem::path& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) {
        return fail_errno("write " + path.string());
    }
    return {};
}

} // namespace stem::lab
