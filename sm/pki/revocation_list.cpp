// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/revocation_list.h"

namespace stem::pki {
namespace {

constexpr int crl_version_2 = 1;

bool add(X509_CRL* list, const Revoked& revoked) {
    BIGNUM* parsed = nullptr;
    BN_hex2bn(&parsed, revoked.serial.c_str());
    const BigNumberPtr number(parsed);
    const Asn1IntegerPtr serial(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
    X509RevokedPtr entry(X509_REVOKED_new());
    if (!serial || !entry || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
        X509_REVOKED_set_revocationDate(entry.get(), asn1_time(revoked.at).get()) != 1 ||
        X509_CRL_add0_revoked(list, entry.get()) != 1) {
        return false;
    }
    static_cast<void>(entry.release()); // the list's
    return true;
}

bool add_number(X509_CRL* list, std::uint64_t number) {
    const Asn1IntegerPtr value(ASN1_INTEGER_new());
    return value && ASN1_INTEGER_set_uint64(value.get(), number) == 1 &&
           X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) == 1;
}

} // namespace

Result<RevocationList> RevocationList::from_pem(std::string_view pem, const std::string& what) {
    X509CrlPtr list(PEM_read_bio_X509_CRL(bio_of(pem).get(), nullptr, nullptr, nullptr));
    if (!list) {
        return fail_openssl("read revocation list " + what, "it must be a CRL in PEM (stemctl pki crl)");
    }
    return RevocationList(std::move(list));
}

Result<std::string> RevocationList::to_pem() const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509_CRL(memory.get(), list_.get()) != 1) {
        return fail_openssl("write a revocation list");
    }
    return text_of(memory.get());
}

TimePoint RevocationList::next_update() const {
    const auto* time = X509_CRL_get0_nextUpdate(list_.get());
    return time == nullptr ? TimePoint::max() : time_of(time);
}

bool RevocationList::signed_by(const Certificate& authority) const {
    const bool good = X509_CRL_verify(list_.get(), X509_get0_pubkey(authority.get())) == 1;
    if (!good) {
        static_cast<void>(take_openssl_error());
    }
    return good;
}

Result<RevocationList> make_revocation_list(std::uint64_t number, const std::vector<Revoked>& revoked,
                                            const Validity& validity, const Certificate& authority,
                                            const Key& authority_key) {
    X509CrlPtr list(X509_CRL_new());
    bool good = list && X509_CRL_set_version(list.get(), crl_version_2) == 1 &&
                X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority.get())) == 1 &&
                X509_CRL_set1_lastUpdate(list.get(), asn1_time(validity.from).get()) == 1 &&
                X509_CRL_set1_nextUpdate(list.get(), asn1_time(validity.to).get()) == 1;
    for (const Revoked& entry : revoked) {
        good = good && add(list.get(), entry);
    }
    good = good && add_number(list.get(), number) && X509_CRL_sort(list.get()) == 1 &&
           X509_CRL_sign(list.get(), authority_key.get(), EVP_sha256()) > 0;
    if (!good) {
        return fail_openssl("make a revocation list");
    }
    return RevocationList(std::move(list));
}

} // namespace stem::pki
