// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/openssl.h"

#include <openssl/err.h>

#include <array>

namespace stem::pki {

std::string take_openssl_error() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    if (code == 0) {
        return "no reason was given";
    }
    const char* reason = ERR_reason_error_string(code);
    if (reason != nullptr) {
        return reason;
    }
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    return text.data();
}

std::unexpected<Error> fail_openssl(std::string attempt, std::string remedy) {
    return fail(std::move(attempt), take_openssl_error(), std::move(remedy));
}

BioPtr bio_of(std::string_view text) {
    return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* memory) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(memory, &data);
    return length > 0 ? std::string(data, static_cast<std::size_t>(length)) : std::string();
}

} // namespace stem::pki
