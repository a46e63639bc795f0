// SPDX-License-Identifier: Apache-2.0
// Finds out who makes an outgoing call: it was announced, or its INVITE carries the answer to a challenge
// (RFC 3261 22.3, RFC 7616). Then, and only in his own name, the caller may call.
//
// Stands before whoever decides: a decision that is a Challenge is what it works upon. One event loop; what
// blocks is done elsewhere (backend.h), and never waited for beyond Settings::timeout.
#pragma once

#include "sm/auth/announcements.h"
#include "sm/auth/backend.h"
#include "sm/auth/nonce.h"
#include "sm/auth/replay_guard.h"
#include "sm/auth/settings.h"
#include "sm/auth/throttle.h"
#include "sm/auth/workers.h"
#include "sm/decision.h"
#include "sm/directory.h"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stem::auth {

// X(NAME, label, help): what became of callers who had to show who they are.
#define STEM_AUTH_COUNTS(X)                                                                                  \
    X(admitted, "admitted", "INVITEs with the right answer to a challenge")                                  \
    X(announced, "announced", "INVITEs of calls that had been announced")                                    \
    X(challenged, "challenged", "INVITEs without an answer: challenged")                                     \
    X(stale, "stale", "answers to a nonce that is too old, or none of ours: challenged anew")                \
    X(replayed, "replayed", "answers that had been used before: challenged anew")                            \
    X(wrong, "wrong", "wrong answers: challenged anew")                                                      \
    X(unknown, "unknown", "answers of users whom nobody knows: challenged anew")                             \
    X(throttled, "throttled", "not looked at, because of earlier wrong ones: refused with 480")              \
    X(malformed, "malformed", "answers that cannot be read, or are for another request: refused with 400")   \
    X(not_own, "not_own", "right answers, but the From is not the user's: refused with 403")                 \
    X(unavailable, "unavailable", "could not be judged in time: refused with 503")

struct Counts {
#define STEM_AUTH_COUNT(name, label, help) std::uint64_t name = 0;
    STEM_AUTH_COUNTS(STEM_AUTH_COUNT)
#undef STEM_AUTH_COUNT
};

class Authenticator {
  public:
    // Reads the files that the settings name. `loop` and `directory` must outlive it.
    static Result<std::unique_ptr<Authenticator>> create(boost::asio::io_context& loop,
                                                         const sm::Directory& directory, std::string realm,
                                                         const Settings& settings);
    ~Authenticator();
    Authenticator(const Authenticator&) = delete;
    Authenticator& operator=(const Authenticator&) = delete;

    using Done = std::function<void(sm::Decision)>;
    // Whoever decides. Asked once; and once more, with Query::user, when the caller is known.
    using Decide = std::function<void(const sm::Query&, Done)>;
    // Hears of what is refused or challenged without `decide`, before `done` does.
    using Note = std::function<void(const sm::Query&, const sm::Decision&)>;
    // `done` is called once, at once or later, unless this is destroyed first.
    void decide(const sm::Query& query, const Decide& decide, Done done, Note note = {});

    enum class Login : std::uint8_t { right, wrong, throttled, unavailable };
    // An administrator with a password: by argon2id, or where the password is kept elsewhere by the backends.
    // `done` as above.
    void log_in(const std::string& name, const std::string& password, const Address& source,
                std::function<void(Login)> done);

    [[nodiscard]] Announcements& announcements() noexcept { return announcements_; }
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
    [[nodiscard]] const std::string& realm() const noexcept { return realm_; }
    // Forgets what is over; once a minute or so.
    void expire();

  private:
    struct Case; // an INVITE whose sender says who it is

    Authenticator(boost::asio::io_context& loop, const sm::Directory& directory, std::string realm,
                  const Settings& settings, std::string nonce_key);

    struct LoginCase;
    void ask_backend_of_login(const std::shared_ptr<LoginCase>& open, std::size_t which);
    void logged_in(const std::shared_ptr<LoginCase>& open, Answer::Verdict verdict);
    static void answer_login(const std::shared_ptr<LoginCase>& open, Login login);
    Result<> add_backend(const std::string& name);
    void prove(const std::shared_ptr<Case>& open);
    bool is_announced(const sm::Query& query, std::string& user);
    void ask_backend(const std::shared_ptr<Case>& open, std::size_t which);
    void asked(const std::shared_ptr<Case>& open, const Answer& answer);
    void judged(const std::shared_ptr<Case>& open, const Answer& answer);
    void right(const std::shared_ptr<Case>& open, const std::string& user);
    void admit(const std::shared_ptr<Case>& open, const std::string& user, const std::string& how);
    [[nodiscard]] std::vector<Algorithm> algorithms_for(const sm::Query& query) const;
    [[nodiscard]] sm::Decision challenge(const sm::Query& query, bool stale, std::string why) const;
    static void refuse(const std::shared_ptr<Case>& open, sm::Decision decision);
    static void close(const std::shared_ptr<Case>& open, sm::Decision decision);

    boost::asio::io_context& loop_;
    const sm::Directory& directory_;
    std::string realm_;
    Settings settings_;
    std::vector<Algorithm> algorithms_;
    NonceMint mint_;
    ReplayGuard replays_;
    Throttle throttle_;
    Announcements announcements_;
    std::unique_ptr<Workers> workers_;
    std::unique_ptr<Workers> logins_; // guesses at an administrator's password hold up no call
    std::vector<std::unique_ptr<Backend>> backends_;
    Counts counts_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// For people.
std::string_view text_of(Authenticator::Login login);

} // namespace stem::auth
