// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/trust.h"

#include "sm/pki/file.h"
#include "sm/pki/revocation_list.h"

namespace stem::pki {

Result<Trust> Trust::load(const std::filesystem::path& ca, const std::filesystem::path& crl) {
    auto authority = Certificate::read(ca);
    if (!authority) {
        return std::unexpected(authority.error());
    }
    X509StorePtr store(X509_STORE_new());
    if (!store || X509_STORE_add_cert(store.get(), authority->get()) != 1) {
        return fail_openssl("trust " + ca.string());
    }
    TimePoint until = TimePoint::max();
    unsigned long flags = X509_V_FLAG_X509_STRICT;
    if (!crl.empty()) {
        const auto pem = read_file(crl);
        if (!pem) {
            return std::unexpected(pem.error());
        }
        const auto list = RevocationList::from_pem(*pem, crl.string());
        if (!list) {
            return std::unexpected(list.error());
        }
        const std::string attempt = "take revocation list " + crl.string();
        if (!list->signed_by(*authority)) {
            return fail(attempt, "it is not signed by " + ca.string(), "copy the authority's ca.crl here");
        }
        until = list->next_update();
        if (until <= std::chrono::system_clock::now()) {
            return fail(attempt, "it is out of date",
                        "make a new one (stemctl pki crl) and copy it here: until then nobody is believed");
        }
        if (X509_STORE_add_crl(store.get(), list->get()) != 1) {
            return fail_openssl(attempt);
        }
        flags |= X509_V_FLAG_CRL_CHECK;
    }
    X509_STORE_set_flags(store.get(), flags);
    return Trust(std::move(store), until);
}

Result<> Trust::verify(const Certificate& certificate, Purpose purpose) const {
    const X509StoreContextPtr context(X509_STORE_CTX_new());
    const std::string attempt = "believe certificate " + certificate.serial();
    if (!context || X509_STORE_CTX_init(context.get(), store_.get(), certificate.get(), nullptr) != 1) {
        return fail_openssl(attempt);
    }
    X509_STORE_CTX_set_purpose(context.get(), purpose == Purpose::client ? X509_PURPOSE_SSL_CLIENT
                                                                         : X509_PURPOSE_SSL_SERVER);
    if (X509_verify_cert(context.get()) == 1) {
        return {};
    }
    static_cast<void>(take_openssl_error());
    return fail(attempt, X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

} // namespace stem::pki
