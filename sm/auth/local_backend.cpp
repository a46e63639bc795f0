// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/local_backend.h"

namespace stem::auth {

void LocalBackend::verify(const Attempt& attempt, std::function<void(Answer)> done) {
    const Authorization& given = attempt.given;
    const auto found = directory_.find_credentials(given.username, given.realm);
    const std::string* ha1 = nullptr;
    if (found.credentials != nullptr) {
        ha1 = given.algorithm == Algorithm::md5 ? &found.credentials->md5 : &found.credentials->sha256;
    }
    // As much work for who is not there, so that time does not tell who is.
    static const std::string nobodys(64, '0');
    const bool right =
        is_right(attempt.given, ha1 == nullptr || ha1->empty() ? nobodys : *ha1, attempt.method);
    if (found.credentials == nullptr) {
        done({.verdict = Answer::Verdict::unknown});
    } else if (right && !ha1->empty()) {
        done({.verdict = Answer::Verdict::right, .user = found.owner->user.name});
    } else {
        done({.verdict = Answer::Verdict::wrong});
    }
}

// Users have hashes for digests only.
void LocalBackend::check_password(const std::string& /*username*/, const std::string& /*password*/,
                                  std::function<void(Answer)> done) {
    done({.verdict = Answer::Verdict::unknown});
}

} // namespace stem::auth
