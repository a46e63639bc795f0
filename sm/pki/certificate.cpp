// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/certificate.h"

#include "sm/pki/file.h"

#include <stem/address.h>

#include <openssl/rand.h>

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace stem::pki {
namespace {

constexpr int serial_octets = 16; // RFC 5280 4.1.2.2: at most 20, and not to be guessed
constexpr int x509_version_3 = 2;

bool set_random_serial(X509* certificate) {
    std::array<unsigned char, serial_octets> octets{};
    if (RAND_bytes(octets.data(), serial_octets) != 1) {
        return false;
    }
    octets[0] = static_cast<unsigned char>((octets[0] & 0x3fU) | 0x40U); // positive, and of full length
    const BigNumberPtr number(BN_bin2bn(octets.data(), serial_octets, nullptr));
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const X509ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_common_name(X509_NAME* name, const std::string& text) {
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
}

X509Ptr begin(const Key& key, const Validity& validity) {
    X509Ptr certificate(X509_new());
    const bool good = certificate && X509_set_version(certificate.get(), x509_version_3) == 1 &&
                      set_random_serial(certificate.get()) &&
                      X509_set1_notBefore(certificate.get(), asn1_time(validity.from).get()) == 1 &&
                      X509_set1_notAfter(certificate.get(), asn1_time(validity.to).get()) == 1 &&
                      X509_set_pubkey(certificate.get(), key.get()) == 1;
    return good ? std::move(certificate) : nullptr;
}

// A host name goes into a configuration line of OpenSSL's: what could end it there is refused.
Result<std::string> alternative_name(const std::string& host) {
    if (Address::parse(host)) {
        return "IP:" + host;
    }
    const bool plain = !host.empty() && host.size() <= 253 &&
                       host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789.-_*") == std::string::npos;
    if (!plain) {
        return fail(fmt::format("read host '{}'", host.substr(0, 80)), "neither a host name nor an address",
                    "write sm1.example.org, 192.0.2.9 or 2001:db8::9");
    }
    return "DNS:" + host;
}

} // namespace

TimePoint time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return {};
    }
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

Asn1TimePtr asn1_time(TimePoint time) {
    return Asn1TimePtr(ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(time)));
}

std::string hexadecimal(const ASN1_INTEGER* number) {
    const BigNumberPtr big(ASN1_INTEGER_to_BN(number, nullptr));
    char* text = big ? BN_bn2hex(big.get()) : nullptr;
    std::string out = text == nullptr ? "" : text;
    OPENSSL_free(text);
    return out;
}

Result<Certificate> Certificate::from_pem(std::string_view pem, const std::string& what) {
    X509Ptr certificate(PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr));
    if (!certificate) {
        return fail_openssl("read certificate " + what, "it must be an X.509 certificate in PEM");
    }
    return Certificate(std::move(certificate));
}

Result<Certificate> Certificate::read(const std::filesystem::path& file) {
    const auto pem = read_file(file);
    return pem ? from_pem(*pem, file.string()) : std::unexpected(pem.error());
}

Certificate Certificate::share() const {
    X509_up_ref(certificate_.get());
    return Certificate(X509Ptr(certificate_.get()));
}

Result<std::string> Certificate::to_pem() const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(memory.get(), certificate_.get()) != 1) {
        return fail_openssl("write a certificate");
    }
    return text_of(memory.get());
}

std::optional<Identity> Certificate::identity() const {
    const GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
    std::optional<Identity> found;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) {
            continue;
        }
        const auto* text = name->d.uniformResourceIdentifier;
        const std::string_view uri(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                   static_cast<std::size_t>(ASN1_STRING_length(text)));
        if (auto identity = identity_from_uri(uri)) {
            if (found) {
                return std::nullopt; // two roles at once are none
            }
            found = std::move(identity);
        }
    }
    return found;
}

std::string Certificate::serial() const {
    return hexadecimal(X509_get0_serialNumber(certificate_.get()));
}

TimePoint Certificate::not_before() const {
    return time_of(X509_get0_notBefore(certificate_.get()));
}

TimePoint Certificate::not_after() const {
    return time_of(X509_get0_notAfter(certificate_.get()));
}

bool Certificate::belongs_to(const Key& key) const {
    return X509_check_private_key(certificate_.get(), key.get()) == 1;
}

Result<Certificate> make_authority(const std::string& name, const Key& key, const Validity& validity) {
    X509Ptr certificate = begin(key, validity);
    X509* raw = certificate.get();
    const bool good = raw != nullptr && set_common_name(X509_get_subject_name(raw), name) &&
                      X509_set_issuer_name(raw, X509_get_subject_name(raw)) == 1 &&
                      add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                      add_extension(raw, raw, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                      add_extension(raw, raw, NID_subject_key_identifier, "hash") &&
                      X509_sign(raw, key.get(), EVP_sha256()) > 0;
    if (!good) {
        return fail_openssl("make the certificate of authority " + name);
    }
    return Certificate(std::move(certificate));
}

Result<Certificate> make_certificate(const CertificateRequest& request, const Key& key,
                                     const Certificate& authority, const Key& authority_key) {
    std::string names = "URI:" + request.identity.uri();
    for (const std::string& host : request.hosts) {
        auto name = alternative_name(host);
        if (!name) {
            return std::unexpected(name.error());
        }
        names += "," + *name;
    }
    X509Ptr certificate = begin(key, request.validity);
    X509* raw = certificate.get();
    X509* issuer = authority.get();
    const char* usage = request.identity.role == Role::server ? "serverAuth" : "clientAuth";
    const bool good = raw != nullptr && set_common_name(X509_get_subject_name(raw), request.identity.name) &&
                      X509_set_issuer_name(raw, X509_get_subject_name(issuer)) == 1 &&
                      add_extension(raw, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                      add_extension(raw, issuer, NID_key_usage, "critical,digitalSignature") &&
                      add_extension(raw, issuer, NID_ext_key_usage, usage) &&
                      add_extension(raw, issuer, NID_subject_alt_name, names) &&
                      add_extension(raw, issuer, NID_subject_key_identifier, "hash") &&
                      add_extension(raw, issuer, NID_authority_key_identifier, "keyid:always") &&
                      X509_sign(raw, authority_key.get(), EVP_sha256()) > 0;
    if (!good) {
        return fail_openssl("make a certificate for " + request.identity.text());
    }
    return Certificate(std::move(certificate));
}

} // namespace stem::pki
