// SPDX-License-Identifier: Apache-2.0
#include "sm/server/daemon.h"

#include "sm/server/listener.h"
#include "sm/server/service.h"
#include "sm/timestamp.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <stem/service_manager.h>

#include <csignal>

namespace stem::smd {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

constexpr auto list_warning = std::chrono::days(14);

void set_log_level(LogLevel level) {
    constexpr std::array levels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                spdlog::level::err};
    spdlog::default_logger()->set_level(levels[static_cast<std::size_t>(level)]);
}

Result<std::shared_ptr<tls::Credentials>> load_credentials(const Config& config) {
    auto credentials = tls::Credentials::load(config.tls.files(), tls::End::server);
    if (!credentials) {
        return credentials;
    }
    const auto identity = (*credentials)->certificate().identity();
    if (!identity || identity->role != pki::Role::server) {
        return fail("use certificate " + config.tls.certificate, "its role is not server",
                    "issue one with stemctl pki issue server NAME");
    }
    return credentials;
}

// What a person should hear of before it hurts.
void warn_of(const tls::Credentials& credentials, const Config& config) {
    const auto now = Service::now();
    const auto until = credentials.trust().list_holds_until();
    if (config.tls.crl.empty()) {
        spdlog::warn("there is no revocation list ([tls] crl): nothing counts as revoked");
    } else if (until < now + list_warning) {
        spdlog::warn(
            "revocation list {} is out of date at {}, and nobody is believed from then on: make a new one "
            "with stemctl pki crl",
            config.tls.crl, sm::to_timestamp(until));
    }
    if (const auto end = credentials.certificate().not_after(); end < now + list_warning) {
        spdlog::warn("certificate {} runs out at {}: stemctl pki renew", config.tls.certificate,
                     sm::to_timestamp(end));
    }
}

Result<std::unique_ptr<sm::Directory>> open_directory(const sm::StoreAddress& address) {
    if (!address.shared()) {
        const auto folder = std::filesystem::path(address.place()).parent_path();
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error) {
            return fail_errno("make folder " + folder.string(), error.value());
        }
    }
    return sm::Directory::open(address, Service::now());
}

} // namespace

Result<Config> load_config(const Options& options) {
    auto config = read_config(options.config_file);
    if (config && options.level) {
        config->log.level = *options.level;
    }
    if (config && !options.database.empty()) {
        config->sm.database = options.database;
    }
    return config;
}

Result<> check(const Config& config) {
    if (auto good = config.sm.policy.check(); !good) {
        return good;
    }
    if (const auto address = sm::StoreAddress::parse(config.sm.database); !address) {
        return std::unexpected(address.error());
    }
    const auto credentials = load_credentials(config);
    return credentials ? Result<>() : std::unexpected(credentials.error());
}

// Members go from the bottom up: listeners, then the loop with what its operations hold, then what those
// refer to.
class Daemon::Loop {
  public:
    Loop(const Options& options, const Config& config, const sm::StoreAddress& address,
         std::unique_ptr<sm::Directory> directory, std::unique_ptr<sm::audit::Trail> trail,
         std::shared_ptr<tls::Credentials> credentials)
        : options_(options), service_(config, std::move(directory), std::move(trail), std::move(credentials)),
          connections_(service_),
          follower_(loop_, service_.directory(), address,
                    [](bool grave, const std::string& what) {
                        spdlog::log(grave ? spdlog::level::err : spdlog::level::warn, "{}", what);
                    }),
          watch_(config.tls.crl), tick_(loop_), signals_(loop_) {
        service_.show_store(follower_);
    }

    Result<> open();
    void run();

  private:
    void wait_for_tick();
    void wait_for_signal();
    void on_tick();
    void reload();
    void reload_list();

    Options options_;
    Service service_;
    Connections connections_;
    asio::io_context loop_{1};
    sm::StoreFollower follower_;
    std::unique_ptr<auth::Authenticator> authenticator_;
    tls::FileWatch watch_;
    std::vector<std::shared_ptr<Listener>> listeners_;
    asio::steady_timer tick_;
    asio::signal_set signals_;
};

Result<> Daemon::Loop::open() {
    const Config& config = service_.config();
    auto authenticator =
        auth::Authenticator::create(loop_, service_.directory(), config.sm.policy.realm, config.auth);
    if (!authenticator) {
        return std::unexpected(authenticator.error());
    }
    authenticator_ = std::move(*authenticator);
    service_.set_authenticator(authenticator_.get());
    for (const std::string& text : service_.config().server.listen) {
        auto listener = std::make_shared<Listener>(loop_, connections_);
        if (auto opened = listener->open(endpoint_from(text).value_or(Endpoint{})); !opened) {
            return opened;
        }
        listener->accept();
        listeners_.push_back(std::move(listener));
    }
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        error_code error;
        signals_.add(signal, error);
        if (error) {
            return fail_errno("watch signal " + std::to_string(signal), error.value());
        }
    }
    return {};
}

void Daemon::Loop::run() {
    wait_for_signal();
    wait_for_tick();
    follower_.start();
    warn_of(*service_.credentials(), service_.config());
    spdlog::info("stem-smd {} ready: {}, on {}", STEM_VERSION, service_.name(),
                 fmt::join(service_.config().server.listen, ", "));
    notify_service_manager("READY=1");
    loop_.run();
    notify_service_manager("STOPPING=1");
    for (const auto& listener : listeners_) {
        listener->close();
    }
    connections_.close_all();
    // What was pending ends, and lets go of its connections, while what they refer to is there.
    loop_.restart();
    loop_.poll();
    service_.set_authenticator(nullptr);
    spdlog::info("stopped");
}

void Daemon::Loop::wait_for_tick() {
    tick_.expires_after(1s);
    tick_.async_wait([this](error_code error) {
        if (!error) {
            on_tick();
            wait_for_tick();
        }
    });
}

void Daemon::Loop::on_tick() {
    if (watch_.changed()) {
        reload_list();
    }
    connections_.judge(false);
    service_.tick();
}

void Daemon::Loop::wait_for_signal() {
    signals_.async_wait([this](error_code error, int signal) {
        if (error) {
            return;
        }
        if (signal == SIGHUP) {
            reload();
            wait_for_signal();
            return;
        }
        spdlog::info("stopping on signal {}", signal);
        loop_.stop();
    });
}

void Daemon::Loop::reload_list() {
    auto credentials = load_credentials(service_.config());
    if (!credentials) {
        // A list that is half copied; the next look, or SIGHUP, finds it whole.
        spdlog::error("revocation list not taken over: {}", credentials.error().message());
        return;
    }
    service_.set_credentials(std::move(*credentials));
    spdlog::info("revocation list {} has changed and is in force", service_.config().tls.crl);
    warn_of(*service_.credentials(), service_.config());
    connections_.judge(true);
}

void Daemon::Loop::reload() {
    const auto fresh = load_config(options_);
    const auto sound = fresh ? fresh->sm.policy.check() : std::unexpected(fresh.error());
    if (!sound) {
        spdlog::error("configuration not reloaded: {}", sound.error().message());
        return;
    }
    auto credentials = load_credentials(*fresh);
    if (!credentials) {
        spdlog::error("configuration not reloaded: {}", credentials.error().message());
        return;
    }
    const auto changes = settings::compare(schema(), service_.config(), *fresh);
    service_.reload(*fresh, std::move(*credentials));
    watch_ = tls::FileWatch(service_.config().tls.crl);
    set_log_level(service_.config().log.level);
    spdlog::info("configuration and certificates reloaded; changed keys: {}",
                 changes.live.empty() ? "none" : fmt::format("{}", fmt::join(changes.live, ", ")));
    if (!changes.after_restart.empty()) {
        spdlog::warn("these change only when stem-smd is started anew: {}",
                     fmt::join(changes.after_restart, ", "));
    }
    warn_of(*service_.credentials(), service_.config());
    connections_.judge(true);
}

Daemon::Daemon(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {
}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
    const auto config = load_config(options);
    if (!config) {
        return std::unexpected(config.error());
    }
    set_log_level(config->log.level);
    if (auto good = config->sm.policy.check(); !good) {
        return std::unexpected(good.error());
    }
    auto credentials = load_credentials(*config);
    if (!credentials) {
        return std::unexpected(credentials.error());
    }
    const auto address = sm::StoreAddress::parse(config->sm.database);
    if (!address) {
        return std::unexpected(address.error());
    }
    auto directory = open_directory(*address);
    if (!directory) {
        return std::unexpected(directory.error());
    }
    auto trail = sm::audit::Trail::open(audit_settings(*config));
    if (!trail) {
        return std::unexpected(trail.error());
    }
    auto loop = std::make_unique<Loop>(options, *config, *address, std::move(*directory), std::move(*trail),
                                       std::move(*credentials));
    if (auto opened = loop->open(); !opened) {
        return std::unexpected(opened.error());
    }
    return std::unique_ptr<Daemon>(new Daemon(std::move(loop)));
}

void Daemon::run() {
    loop_->run();
}

} // namespace stem::smd
