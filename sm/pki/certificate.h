// SPDX-License-Identifier: Apache-2.0
// X.509 certificates (RFC 5280): reading ours, and making them.
#pragma once

#include "sm/pki/identity.h"
#include "sm/pki/key.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::pki {

using TimePoint = std::chrono::system_clock::time_point;

class Certificate {
  public:
    explicit Certificate(X509Ptr certificate) : certificate_(std::move(certificate)) {}
    static Result<Certificate> from_pem(std::string_view pem, const std::string& what);
    static Result<Certificate> read(const std::filesystem::path& file);
    // Another owner of the same certificate.
    [[nodiscard]] Certificate share() const;

    [[nodiscard]] Result<std::string> to_pem() const;
    // From the one URI "urn:stem:..."; nothing where there is none, or more than one.
    [[nodiscard]] std::optional<Identity> identity() const;
    [[nodiscard]] std::string serial() const; // hexadecimal, upper case
    [[nodiscard]] TimePoint not_before() const;
    [[nodiscard]] TimePoint not_after() const;
    [[nodiscard]] bool belongs_to(const Key& key) const;
    [[nodiscard]] X509* get() const noexcept { return certificate_.get(); }

  private:
    X509Ptr certificate_;
};

struct Validity {
    TimePoint from;
    TimePoint to;
};

// The certificate of an authority for itself; `name` is its common name.
Result<Certificate> make_authority(const std::string& name, const Key& key, const Validity& validity);

struct CertificateRequest {
    Identity identity;
    Validity validity;
    std::vector<std::string> hosts; // of a server: names and addresses for the subjectAltName
};
// Signed by `authority_key`. Extended key usage: serverAuth for a server, clientAuth for all others.
Result<Certificate> make_certificate(const CertificateRequest& request, const Key& key,
                                     const Certificate& authority, const Key& authority_key);

TimePoint time_of(const ASN1_TIME* time);
Asn1TimePtr asn1_time(TimePoint time);
std::string hexadecimal(const ASN1_INTEGER* number);

} // namespace stem::pki
