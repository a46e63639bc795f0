// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/authenticator.h"

#include "sm/auth/ldap_backend.h"
#include "sm/auth/local_backend.h"
#include "sm/auth/password.h"
#include "sm/auth/radius_backend.h"
#include "sm/failure.h"
#include "sm/pki/file.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace stem::auth {
namespace {

constexpr int status_bad_request = 400;
constexpr int status_forbidden = 403;
constexpr int status_temporarily_unavailable = 480;
constexpr int status_service_unavailable = 503;
constexpr std::chrono::seconds try_again{2};

sm::Decision refusal(int status, std::string phrase, std::string why,
                     std::chrono::seconds retry_after = std::chrono::seconds(0)) {
    why += fmt::format(" -> reject {}", status);
    return {.action = sm::Reject{.status = status, .phrase = std::move(phrase), .retry_after = retry_after},
            .user = {},
            .why = std::move(why)};
}

// "sip:192.0.2.5:5060": without a user, and with SIPp an IPv6 address without its brackets.
bool names_host(std::string_view uri, std::string_view host) {
    constexpr std::string_view scheme = "sip:";
    if (!uri.starts_with(scheme)) {
        return false;
    }
    uri.remove_prefix(scheme.size());
    const bool bracketed = uri.starts_with('[');
    uri.remove_prefix(bracketed ? 1 : 0);
    if (!uri.starts_with(host)) {
        return false;
    }
    uri.remove_prefix(host.size());
    if (bracketed && !uri.starts_with(']')) {
        return false;
    }
    uri.remove_prefix(bracketed ? 1 : 0);
    constexpr std::size_t longest_port = 6; // with its colon
    return uri.empty() || (uri.starts_with(':') && uri.size() <= longest_port &&
                           uri.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

// RFC 7616 3.4.6: the URI of the digest must be what is called. Phones differ in ports and parameters, and
// some name only the host.
bool is_of_request(const Authorization& given, const sm::Query& query) {
    if (given.uri == query.callee) {
        return true;
    }
    const auto called = sm::AddressOfRecord::parse(query.callee);
    if (!called) {
        return false;
    }
    const auto named = sm::AddressOfRecord::parse(given.uri);
    return (named && *named == *called) || (!called->tel && names_host(given.uri, called->host));
}

// Tells one request from another, for the replay guard.
std::string request_of(const sm::Query& query, const Authorization& given) {
    return query.call_id + '\n' + query.callee + '\n' + query.caller + '\n' + given.response;
}

} // namespace

struct Authenticator::Case {
    sm::Query query;
    Decide decide;
    Done done;
    Note note;
    Attempt attempt;
    sm::TimePoint nonce_made;
    std::string unavailable; // why a backend could not be asked
    std::unique_ptr<boost::asio::steady_timer> timer;
    bool closed = false;
};

Result<std::unique_ptr<Authenticator>> Authenticator::create(boost::asio::io_context& loop,
                                                             const sm::Directory& directory,
                                                             std::string realm, const Settings& settings) {
    if (settings.known_algorithms().empty()) {
        return sm::invalid("read setting algorithms", "no algorithm", "name SHA-256, MD5, or both");
    }
    std::string key;
    if (!settings.nonce_key.empty()) {
        auto read = pki::read_secret_file(settings.nonce_key);
        if (!read) {
            return std::unexpected(read.error());
        }
        if (read->size() < NonceMint::key_length) {
            return sm::invalid("use nonce key " + settings.nonce_key, fmt::format("{} octets", read->size()),
                               fmt::format("write {} random octets or more into it: head -c 32 /dev/urandom",
                                           NonceMint::key_length));
        }
        key = std::move(*read);
    }
    std::unique_ptr<Authenticator> made(
        new Authenticator(loop, directory, std::move(realm), settings, std::move(key)));
    for (const std::string& name : settings.backends) {
        if (auto added = made->add_backend(name); !added) {
            return std::unexpected(added.error());
        }
    }
    return made;
}

Result<> Authenticator::add_backend(const std::string& name) {
    Result<std::unique_ptr<Backend>> made = nullptr;
    if (name == "local") {
        made = std::make_unique<LocalBackend>(directory_);
    } else if (name == "radius") {
        made = RadiusBackend::create(loop_, directory_, settings_);
    } else if (name == "ldap") {
        made = LdapBackend::create(loop_, directory_, *workers_, settings_);
    } else {
        return sm::invalid("read setting backends", "no backend " + name, "name local, ldap or radius");
    }
    if (!made) {
        return std::unexpected(made.error());
    }
    backends_.push_back(std::move(*made));
    return {};
}

Authenticator::Authenticator(boost::asio::io_context& loop, const sm::Directory& directory, std::string realm,
                             const Settings& settings, std::string nonce_key)
    : loop_(loop), directory_(directory), realm_(std::move(realm)), settings_(settings),
      algorithms_(settings.known_algorithms()), mint_(std::move(nonce_key), settings.nonce_lifetime),
      throttle_({.free_of_pair = settings.free_failures,
                 .free_of_source = settings.free_failures_of_source,
                 .first_delay = settings.first_delay,
                 .max_delay = settings.max_delay}),
      workers_(std::make_unique<Workers>(settings.threads, settings.queue)),
      logins_(std::make_unique<Workers>(1, settings.queue)) {
}

Authenticator::~Authenticator() = default;

void Authenticator::decide(const sm::Query& query, const Decide& decide, Done done, Note note) {
    sm::Query asked = query;
    asked.user.clear(); // nobody tells us
    decide(asked, [this, alive = std::weak_ptr(alive_), asked, decide, done = std::move(done),
                   note = std::move(note)](sm::Decision decision) mutable {
        if (!std::holds_alternative<sm::Challenge>(decision.action) || alive.expired()) {
            done(std::move(decision));
            return;
        }
        auto open = std::make_shared<Case>();
        open->query = std::move(asked);
        open->decide = decide;
        open->done = std::move(done);
        open->note = std::move(note);
        prove(open);
    });
}

void Authenticator::close(const std::shared_ptr<Case>& open, sm::Decision decision) {
    if (!std::exchange(open->closed, true)) {
        open->timer.reset();
        open->done(std::move(decision));
    }
}

void Authenticator::refuse(const std::shared_ptr<Case>& open, sm::Decision decision) {
    if (open->note && !open->closed) {
        open->note(open->query, decision);
    }
    close(open, std::move(decision));
}

// Those of which there is a hash, where the user has one in the store: a phone answers to the first that it
// knows, and could not be right by another.
std::vector<Algorithm> Authenticator::algorithms_for(const sm::Query& query) const {
    const auto caller = sm::AddressOfRecord::parse(query.caller);
    const auto* entry = caller ? directory_.find_callee(*caller) : nullptr;
    std::vector<Algorithm> usable;
    if (entry != nullptr) {
        std::ranges::copy_if(algorithms_, std::back_inserter(usable), [&](Algorithm algorithm) {
            return std::ranges::any_of(entry->credentials, [&](const sm::Credentials& each) {
                return each.realm == realm_ &&
                       !(algorithm == Algorithm::md5 ? each.md5 : each.sha256).empty();
            });
        });
    }
    return usable.empty() ? algorithms_ : usable;
}

sm::Decision Authenticator::challenge(const sm::Query& query, bool stale, std::string why) const {
    sm::Challenge asked{.values = {}, .stale = stale};
    const std::string nonce = mint_.make(*query.source, realm_, query.at);
    for (const Algorithm algorithm : algorithms_for(query)) {
        asked.values.push_back(make_challenge(algorithm, realm_, nonce, stale));
    }
    return {.action = std::move(asked), .user = {}, .why = std::move(why) + " -> challenge"};
}

bool Authenticator::is_announced(const sm::Query& query, std::string& user) {
    const auto caller = sm::AddressOfRecord::parse(query.caller);
    const auto callee = sm::AddressOfRecord::parse(query.callee);
    const auto* entry = caller && callee ? directory_.find_callee(*caller) : nullptr;
    if (entry == nullptr ||
        !announcements_.take(entry->user.name, *callee, *query.source, query.call_id, query.at)) {
        return false;
    }
    user = entry->user.name;
    return true;
}

void Authenticator::prove(const std::shared_ptr<Case>& open) {
    const sm::Query& query = open->query;
    if (!query.source) {
        refuse(open, refusal(status_service_unavailable, {},
                             "the firewall does not say where the INVITE came from: is it of our version?"));
        return;
    }
    if (std::string user; is_announced(query, user)) {
        ++counts_.announced;
        admit(open, user, "announced");
        return;
    }
    const auto ours = std::ranges::find_if(
        query.authorization, [&](const std::string& value) { return realm_of(value) == realm_; });
    if (ours == query.authorization.end()) {
        ++counts_.challenged;
        refuse(open, challenge(query, false, "the caller has not said who it is"));
        return;
    }
    auto given = read_authorization(*ours);
    if (!given || !is_of_request(*given, query)) {
        ++counts_.malformed;
        refuse(open,
               refusal(status_bad_request, "Bad Credentials",
                       given ? "the URI of the digest is not what is called" : given.error().message()));
        return;
    }
    open->attempt = {.given = std::move(*given), .method = query.method};
    const Authorization& read = open->attempt.given;
    // Else whoever is on the way could take the better one out of a challenge (RFC 7616 5.7).
    if (const auto offered = algorithms_for(query);
        std::ranges::find(offered, read.algorithm) == offered.end()) {
        ++counts_.challenged;
        refuse(open, challenge(query, false, "the answer is by an algorithm that was not asked for"));
        return;
    }
    if (mint_.judge(read.nonce, *query.source, realm_, query.at, open->nonce_made) !=
        NonceMint::Verdict::good) {
        ++counts_.stale;
        refuse(open, challenge(query, true, "the nonce is too old, or was not given to that source"));
        return;
    }
    if (const auto wait = throttle_.wait(*query.source, read.username, Throttle::Clock::now());
        wait.count() > 0) {
        ++counts_.throttled;
        refuse(open,
               refusal(status_temporarily_unavailable, "Too Many Wrong Passwords",
                       fmt::format("too many wrong passwords from {}", query.source->to_string()), wait));
        return;
    }
    throttle_.begin(*query.source, read.username, Throttle::Clock::now());
    ask_backend(open, 0);
    if (open->closed) { // as by what is in memory
        return;
    }
    open->timer = std::make_unique<boost::asio::steady_timer>(loop_, settings_.timeout);
    open->timer->async_wait([this, open, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
        if (!error && !alive.expired() && !open->closed) {
            judged(open, {.verdict = Answer::Verdict::unavailable,
                          .why = fmt::format("no answer within {} ms", settings_.timeout.count())});
        }
    });
}

void Authenticator::ask_backend(const std::shared_ptr<Case>& open, std::size_t which) {
    if (which == backends_.size()) {
        asked(open, open->unavailable.empty()
                        ? Answer{.verdict = Answer::Verdict::unknown}
                        : Answer{.verdict = Answer::Verdict::unavailable, .why = open->unavailable});
        return;
    }
    backends_[which]->verify(open->attempt, [this, open, which,
                                             alive = std::weak_ptr(alive_)](Answer answer) {
        if (alive.expired()) {
            return;
        }
        if (open->closed) {
            asked(open, answer);
            return;
        }
        if (answer.verdict == Answer::Verdict::unavailable) {
            open->unavailable = fmt::format("{}: {}", backends_[which]->name(), answer.why);
        }
        if (answer.verdict == Answer::Verdict::unknown || answer.verdict == Answer::Verdict::unavailable) {
            ask_backend(open, which + 1);
        } else {
            asked(open, answer);
        }
    });
}

// The last answer of the backends; a call that has not waited for it is closed.
void Authenticator::asked(const std::shared_ptr<Case>& open, const Answer& answer) {
    const Address& source = *open->query.source;
    const std::string& username = open->attempt.given.username;
    throttle_.end(source, username);
    if (!open->closed) {
        judged(open, answer);
    } else if (answer.verdict == Answer::Verdict::wrong) { // too late for the call, and not for who guesses
        ++counts_.wrong;
        throttle_.failed(source, username, Throttle::Clock::now());
    }
}

void Authenticator::judged(const std::shared_ptr<Case>& open, const Answer& answer) {
    const sm::Query& query = open->query;
    const std::string& username = open->attempt.given.username;
    switch (answer.verdict) {
    case Answer::Verdict::right:
        right(open, answer.user);
        return;
    case Answer::Verdict::unavailable:
        ++counts_.unavailable;
        refuse(open, refusal(status_service_unavailable, {},
                             fmt::format("who calls could not be found out: {}", answer.why), try_again));
        return;
    case Answer::Verdict::wrong:
        ++counts_.wrong;
        break;
    case Answer::Verdict::unknown:
        ++counts_.unknown;
        break;
    }
    // Who fails is not told in what.
    throttle_.failed(*query.source, username, Throttle::Clock::now());
    refuse(open, challenge(query, false,
                           fmt::format("wrong user name or password from {}", query.source->to_string())));
}

void Authenticator::right(const std::shared_ptr<Case>& open, const std::string& user) {
    const sm::Query& query = open->query;
    const Authorization& given = open->attempt.given;
    throttle_.succeeded(*query.source, given.username);
    switch (replays_.use(given.nonce, open->nonce_made, given.count, request_of(query, given))) {
    case ReplayGuard::Verdict::fresh:
    case ReplayGuard::Verdict::same:
        break;
    case ReplayGuard::Verdict::replayed:
    case ReplayGuard::Verdict::forgotten:
        ++counts_.replayed;
        refuse(open, challenge(query, true, "an answer that was used before"));
        return;
    }
    const auto from = sm::AddressOfRecord::parse(query.caller);
    const auto* owner = from ? directory_.find_callee(*from) : nullptr;
    if (owner == nullptr || owner->user.name != user) {
        ++counts_.not_own;
        refuse(open,
               refusal(status_forbidden, "Not Your Own Address",
                       fmt::format("user {} calls as {}, which is not the user's", user, query.caller)));
        return;
    }
    ++counts_.admitted;
    admit(open, user, fmt::format("digest {}", name_of(given.algorithm)));
}

void Authenticator::admit(const std::shared_ptr<Case>& open, const std::string& user,
                          const std::string& how) {
    open->query.user = user;
    open->decide(open->query, [open, user, how](sm::Decision decision) {
        if (std::holds_alternative<sm::Challenge>(decision.action)) { // whoever decides does not know users
            decision = refusal(status_forbidden, {}, "a known caller is not let out either");
        }
        decision.why = fmt::format("caller is user {} ({}); {}", user, how, decision.why);
        close(open, std::move(decision));
    });
}

struct Authenticator::LoginCase {
    std::string name;
    std::string password;
    Address source;
    std::function<void(Login)> done;
    bool unavailable = false;
    std::unique_ptr<boost::asio::steady_timer> timer;

    // Not the pair of a user who happens to have that name.
    [[nodiscard]] std::string pair() const { return "administrator " + name; }
};

void Authenticator::log_in(const std::string& name, const std::string& password, const Address& source,
                           std::function<void(Login)> done) {
    const auto open = std::make_shared<LoginCase>();
    *open = {.name = name, .password = password, .source = source, .done = std::move(done), .timer = {}};
    if (throttle_.wait(source, open->pair(), Throttle::Clock::now()).count() > 0) {
        open->done(Login::throttled);
        return;
    }
    throttle_.begin(source, open->pair(), Throttle::Clock::now());
    const auto* administrator = directory_.find_administrator(name);
    if (administrator != nullptr && administrator->password.empty()) {
        open->timer = std::make_unique<boost::asio::steady_timer>(loop_, settings_.timeout);
        open->timer->async_wait([this, open, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
            if (!error && !alive.expired()) { // it is being judged all the same
                answer_login(open, Login::unavailable);
            }
        });
        ask_backend_of_login(open, 0);
        return;
    }
    // As much work for who is not there: the hash of a password that nobody has.
    static const std::string nobodys = "$argon2id$v=19$m=19456,t=2,p=1$c3RlbXN0ZW1zdGVtc3RlbQ$"
                                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const std::string encoded = administrator == nullptr ? nobodys : administrator->password;
    const bool taken = logins_->submit(
        [this, open, encoded, &loop = loop_, alive = std::weak_ptr(alive_)](std::size_t /*thread*/) {
            const bool right = is_password(open->password, encoded);
            boost::asio::post(loop, [this, open, right, alive] {
                if (!alive.expired()) {
                    logged_in(open, right ? Answer::Verdict::right : Answer::Verdict::wrong);
                }
            });
        });
    if (!taken) {
        logged_in(open, Answer::Verdict::unavailable);
    }
}

void Authenticator::ask_backend_of_login(const std::shared_ptr<LoginCase>& open, std::size_t which) {
    // None is nobody's: RADIUS cannot say it (RFC 2865 5.2), and to LDAP it is a bind as nobody (RFC
    // 4513 5.1.2).
    if (open->password.empty()) {
        logged_in(open, Answer::Verdict::wrong);
        return;
    }
    if (which == backends_.size()) {
        logged_in(open, open->unavailable ? Answer::Verdict::unavailable : Answer::Verdict::unknown);
        return;
    }
    backends_[which]->check_password(
        open->name, open->password, [this, open, which, alive = std::weak_ptr(alive_)](const Answer& answer) {
            if (alive.expired()) {
                return;
            }
            const bool settled =
                answer.verdict == Answer::Verdict::right || answer.verdict == Answer::Verdict::wrong;
            open->unavailable = open->unavailable || answer.verdict == Answer::Verdict::unavailable;
            if (settled) {
                logged_in(open, answer.verdict);
            } else {
                ask_backend_of_login(open, which + 1);
            }
        });
}

void Authenticator::logged_in(const std::shared_ptr<LoginCase>& open, Answer::Verdict verdict) {
    throttle_.end(open->source, open->pair());
    switch (verdict) {
    case Answer::Verdict::right:
        if (open->done) {
            throttle_.succeeded(open->source, open->pair());
        }
        answer_login(open, Login::right);
        return;
    case Answer::Verdict::unavailable:
        answer_login(open, Login::unavailable);
        return;
    case Answer::Verdict::wrong:
    case Answer::Verdict::unknown:
        break;
    }
    throttle_.failed(open->source, open->pair(), Throttle::Clock::now()); // also where it comes too late
    answer_login(open, Login::wrong);
}

void Authenticator::answer_login(const std::shared_ptr<LoginCase>& open, Login login) {
    open->timer.reset();
    if (const auto done = std::exchange(open->done, nullptr)) {
        done(login);
    }
}

std::string_view text_of(Authenticator::Login login) {
    switch (login) {
    case Authenticator::Login::right:
        return "let in by password";
    case Authenticator::Login::wrong:
        return "wrong name or password";
    case Authenticator::Login::throttled:
        return "too many wrong passwords before: not looked at";
    case Authenticator::Login::unavailable:
        break;
    }
    return "the password could not be judged in time";
}

void Authenticator::expire() {
    const auto now = std::chrono::system_clock::now();
    replays_.forget_before(now - 2 * settings_.nonce_lifetime);
    announcements_.expire(now);
}

} // namespace stem::auth
