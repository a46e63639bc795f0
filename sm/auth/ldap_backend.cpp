// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/ldap_backend.h"

#include "sm/failure.h"
#include "sm/pki/file.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace stem::auth {
namespace {

using Verdict = Answer::Verdict;

Answer unavailable(const Error& error) {
    return {.verdict = Verdict::unavailable, .why = error.message()};
}

std::string lowered(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

Answer look_up(LdapDirectory& server, const Attempt& attempt) {
    const auto found = server.find(attempt.given.username);
    if (!found) {
        return unavailable(found.error());
    }
    if (!*found) {
        return {.verdict = Verdict::unknown};
    }
    const auto algorithm = attempt.given.algorithm;
    const std::string ha1 = lowered(algorithm == Algorithm::md5 ? (*found)->md5 : (*found)->sha256);
    const bool right = is_ha1(algorithm, ha1) && is_right(attempt.given, ha1, attempt.method);
    return right ? Answer{.verdict = Verdict::right, .user = attempt.given.username}
                 : Answer{.verdict = Verdict::wrong};
}

Answer try_password(LdapDirectory& server, const std::string& username, const std::string& password) {
    const auto found = server.find(username);
    if (!found) {
        return unavailable(found.error());
    }
    if (!*found) {
        return {.verdict = Verdict::unknown};
    }
    const auto good = server.is_password((*found)->dn, password);
    if (!good) {
        return unavailable(good.error());
    }
    return *good ? Answer{.verdict = Verdict::right, .user = username} : Answer{.verdict = Verdict::wrong};
}

} // namespace

Result<std::unique_ptr<Backend>> LdapBackend::create(boost::asio::io_context& loop,
                                                     const sm::Directory& directory, Workers& workers,
                                                     const Settings& settings) {
    if (auto good = check(settings.ldap); !good) {
        return std::unexpected(good.error());
    }
    std::string password;
    if (!settings.ldap.bind_dn.empty()) {
        auto read = pki::read_secret_file(settings.ldap.password);
        if (!read) {
            return std::unexpected(read.error());
        }
        password = std::move(*read);
        while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) {
            password.pop_back();
        }
        if (password.empty()) {
            return sm::invalid("use LDAP password " + settings.ldap.password, "it is empty",
                               "write the password of ldap_bind_dn into it");
        }
    }
    return std::unique_ptr<Backend>(new LdapBackend(loop, directory, workers, settings, password));
}

LdapBackend::LdapBackend(boost::asio::io_context& loop, const sm::Directory& directory, Workers& workers,
                         const Settings& settings, const std::string& password)
    : loop_(loop), directory_(directory), workers_(workers),
      servers_(std::make_shared<std::vector<std::unique_ptr<LdapDirectory>>>()) {
    for (std::size_t i = 0; i < workers.threads(); ++i) {
        servers_->push_back(std::make_unique<LdapDirectory>(settings.ldap, password, settings.timeout));
    }
}

void LdapBackend::verify(const Attempt& attempt, std::function<void(Answer)> done) {
    run([attempt](LdapDirectory& server) { return look_up(server, attempt); },
        [this, done = std::move(done)](Answer answer) { done(of_ours(std::move(answer))); });
}

void LdapBackend::check_password(const std::string& username, const std::string& password,
                                 std::function<void(Answer)> done) {
    run([username, password](LdapDirectory& server) { return try_password(server, username, password); },
        std::move(done));
}

// Whom the directory server knows and we do not, nobody is.
Answer LdapBackend::of_ours(Answer answer) const {
    if (answer.verdict == Verdict::right && directory_.find_user(answer.user) == nullptr) {
        answer.verdict = Verdict::unknown;
    }
    return answer;
}

void LdapBackend::run(std::function<Answer(LdapDirectory&)> look, std::function<void(Answer)> done) {
    // Shared, so that it can be told here when the queue is full.
    const auto told = std::make_shared<std::function<void(Answer)>>(std::move(done));
    const bool taken = workers_.submit([look = std::move(look), told, servers = servers_, &loop = loop_,
                                        alive = std::weak_ptr(alive_)](std::size_t thread) {
        auto answer = look(*(*servers)[thread]);
        boost::asio::post(loop, [told, alive, answer = std::move(answer)]() mutable {
            if (!alive.expired()) {
                (*told)(std::move(answer));
            }
        });
    });
    if (!taken) {
        (*told)({.verdict = Verdict::unavailable, .why = "too many requests wait"});
    }
}

} // namespace stem::auth
