// SPDX-License-Identifier: Apache-2.0
// A snapshot of what the Decider needs, signed by a Security Manager, so that a firewall can decide by it
// while no Security Manager can be reached. Signed is a small manifest, with the digest of the content in it:
// when only time has passed, the content need not be sent again.
#pragma once

#include "sm/channel/bodies.h"
#include "sm/pki/signature.h"
#include "sm/pki/trust.h"

#include <chrono>
#include <string>

namespace stem::channel {

struct Manifest {
    sm::TimePoint created; // ms
    std::string digest;    // SHA-256 of the content
    std::string signer;    // name of the Security Manager
};

// `parts` of the result is 0: the sender says how many there are.
Result<SnapshotHead> sign_snapshot(std::string_view content, sm::TimePoint now, const pki::Key& key,
                                   const pki::Certificate& certificate);

// That a Security Manager which `trust` believes has signed it; that it is of this content; and that it is
// not from a time to come (by more than `skew`). Its age is for the caller to judge.
Result<Manifest> check_snapshot(const SnapshotHead& head, std::string_view content, const pki::Trust& trust,
                                sm::TimePoint now, std::chrono::milliseconds skew);
// The same without the content: whose digest is in the result.
Result<Manifest> check_manifest(const SnapshotHead& head, const pki::Trust& trust, sm::TimePoint now,
                                std::chrono::milliseconds skew);

// The content in pieces that fit into a snapshot_part each; they refer to it.
std::vector<std::string_view> parts_of(std::string_view content);

// For the file in which a firewall keeps it.
std::string to_text(const SnapshotHead& head, std::string_view content);
struct StoredSnapshot {
    SnapshotHead head;
    std::string content;
};
Result<StoredSnapshot> snapshot_from_text(std::string_view text);

} // namespace stem::channel
