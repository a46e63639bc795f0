// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/signed_snapshot.h"

#include "sm/field_reader.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stem::channel {
namespace {

namespace json = boost::json;

constexpr std::int64_t manifest_version = 1;
constexpr const char* attempt = "believe a snapshot";
// A signature of a Security Manager's key over something else must not pass for one of a manifest.
constexpr std::string_view purpose = "stem-snapshot\n";

std::string to_be_signed(std::string_view manifest) {
    return std::string(purpose) + std::string(manifest);
}

Result<Manifest> manifest_from(const std::string& text) {
    json::error_code error;
    const json::value value = json::parse(text, error);
    if (error) {
        return fail("read a manifest", "not JSON: " + error.message());
    }
    sm::FieldReader fields(value, "manifest", {"version", "created", "digest", "signer"});
    const auto version = fields.integer("version", 0, std::numeric_limits<std::int64_t>::max());
    const auto created = fields.integer("created", 0, std::numeric_limits<std::int64_t>::max());
    Manifest manifest{.created = sm::TimePoint(std::chrono::milliseconds(created.value_or(0))),
                      .digest = fields.required_text("digest"),
                      .signer = fields.required_text("signer")};
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    if (version != manifest_version || !created) {
        return fail("read a manifest", "it is of another version",
                    "are firewall and Security Manager of one version?");
    }
    return manifest;
}

} // namespace

Result<SnapshotHead> sign_snapshot(std::string_view content, sm::TimePoint now, const pki::Key& key,
                                   const pki::Certificate& certificate) {
    const auto identity = certificate.identity();
    const auto pem = certificate.to_pem();
    if (!identity || !pem) {
        return fail("sign a snapshot", identity ? pem.error().message() : "the certificate has no role");
    }
    SnapshotHead head{
        .manifest = json::serialize(json::object{
            {"version", manifest_version},
            {"created",
             std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()},
            {"digest", pki::sha256(content)},
            {"signer", identity->name}}),
        .certificate = *pem};
    auto signature = pki::sign(to_be_signed(head.manifest), key);
    if (!signature) {
        return std::unexpected(signature.error());
    }
    head.signature = std::move(*signature);
    return head;
}

Result<Manifest> check_manifest(const SnapshotHead& head, const pki::Trust& trust, sm::TimePoint now,
                                std::chrono::milliseconds skew) {
    const auto signer = pki::Certificate::from_pem(head.certificate, "of a snapshot");
    if (!signer) {
        return std::unexpected(signer.error());
    }
    if (auto believed = trust.verify(*signer, pki::Purpose::server); !believed) {
        return std::unexpected(believed.error());
    }
    const auto identity = signer->identity();
    if (!identity || identity->role != pki::Role::server) {
        return fail(attempt, "its signer is no Security Manager: the role is not server");
    }
    if (auto good = pki::check_signature(to_be_signed(head.manifest), head.signature, *signer); !good) {
        return std::unexpected(good.error());
    }
    auto manifest = manifest_from(head.manifest);
    if (!manifest) {
        return manifest;
    }
    if (manifest->created > now + skew) {
        return fail(attempt, "it is from a time to come", "do the clocks agree?");
    }
    return manifest;
}

Result<Manifest> check_snapshot(const SnapshotHead& head, std::string_view content, const pki::Trust& trust,
                                sm::TimePoint now, std::chrono::milliseconds skew) {
    auto manifest = check_manifest(head, trust, now, skew);
    if (manifest && manifest->digest != pki::sha256(content)) {
        return fail(attempt, "the content is not what was signed");
    }
    return manifest;
}

std::vector<std::string_view> parts_of(std::string_view content) {
    std::vector<std::string_view> parts;
    while (!content.empty()) {
        std::size_t length = std::min(default_part_limit, content.size());
        // Between characters: each part is UTF-8 of its own.
        while (length > 1 && length < content.size() &&
               (static_cast<unsigned char>(content[length]) & 0xc0U) == 0x80U) {
            --length;
        }
        parts.push_back(content.substr(0, length));
        content.remove_prefix(length);
    }
    return parts;
}

std::string to_text(const SnapshotHead& head, std::string_view content) {
    return json::serialize(to_body(head)) + "\n" + std::string(content);
}

Result<StoredSnapshot> snapshot_from_text(std::string_view text) {
    const auto end = text.find('\n');
    json::error_code error;
    const json::value value = json::parse(text.substr(0, end), error);
    const auto* object = error ? nullptr : value.if_object();
    if (object == nullptr || end == std::string_view::npos) {
        return fail("read a stored snapshot", "its first line is no JSON object");
    }
    auto head = snapshot_from(*object);
    if (!head) {
        return std::unexpected(head.error());
    }
    return StoredSnapshot{std::move(*head), std::string(text.substr(end + 1))};
}

} // namespace stem::channel
