// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/daemon.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <stem/service_manager.h>

#include <csignal>
#include <list>
#include <string>

#include "ctl/api/server.h"
#include "ctl/api/socket_path.h"
#include "ctl/kernel/clock.h"
#include "ctl/kernel/version.h"
#include "ctl/stemd/backend.h"
#include "ctl/stemd/deny_keeper.h"
#include "ctl/stemd/flood_monitor.h"
#include "ctl/stemd/log.h"
#include "ctl/stemd/manager.h"
#include "ctl/stemd/state_sweeper.h"
#include "sm/api.h"

namespace stem::stemd {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

constexpr auto tick_interval = 20ms;
constexpr int ticks_per_second = 50;
constexpr int ticks_per_minute = 60 * ticks_per_second;
constexpr int octal = 8;

std::string database_of(const Options& options, const config::Config& config) {
    if (!options.database.empty()) {
        return options.database;
    }
    if (!config.sm.database.empty()) {
        return config.sm.database;
    }
    return "/var/lib/stem/" + options.instance + ".db";
}

Result<> make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return fail_errno("make folder " + folder.string(), error.value(), "run as root");
    }
    return {};
}

} // namespace

Result<config::Config> load_config(const Options& options) {
    Result<config::Config> config;
    if (!options.config_file.empty()) {
        config = config::read_file(options.config_file);
    } else if (std::filesystem::exists(config::default_file)) {
        config = config::read_file(config::default_file);
    }
    if (config && options.level) {
        config->log.level = *options.level;
    }
    if (config) {
        if (auto sound = config::check(*config); !sound) {
            return std::unexpected(sound.error());
        }
    }
    return config;
}

// Members are made from top to bottom, and go the other way round: the API before what it tells of, the call
// monitor before the Security Manager that it asks, the lock last.
class Daemon::Loop {
  public:
    Loop(const Options& options, const config::Config& config, Attachment attachment)
        : options_(options), config_(config), attachment_(std::move(attachment)), tick_(loop_),
          signals_(loop_) {}

    Result<> open();
    void run();

  private:
    Result<> open_manager();
    Result<> open_api();
    Result<> watch_signals();
    void wait_for(asio::posix::stream_descriptor& descriptor);
    void receive();
    void wait_for_tick();
    void wait_for_signal();
    void on_tick();
    void reload();
    void stop();

    Options options_;
    config::Config config_;
    Attachment attachment_;
    asio::io_context loop_{1};
    std::unique_ptr<Manager> manager_;
    std::optional<DelayedLink> delayed_;
    std::optional<CountingLink> decisions_;
    std::unique_ptr<DenyKeeper> keeper_;
    std::unique_ptr<FloodMonitor> floods_;
    std::unique_ptr<Signalling> signalling_;
    std::list<asio::posix::stream_descriptor>
        descriptors_; // the sockets stay signalling's: released, not closed
    std::unique_ptr<StateSweeper> states_;
    std::unique_ptr<Backend> backend_;
    std::unique_ptr<api::Server> server_;
    asio::steady_timer tick_;
    asio::signal_set signals_;
    int ticks_ = 0;
    bool turn_posted_ = false;
};

Result<> Daemon::Loop::open() {
    // Ahead of the sockets: no packet comes here that was judged by other thresholds.
    if (auto opened = open_manager(); !opened) {
        return opened;
    }
    std::vector<Cidr> named = config_.call.media_relays;
    named.insert(named.end(), config_.call.nat_networks.begin(), config_.call.nat_networks.end());
    auto guard = SourceGuard::open(attachment_.instance, std::move(named));
    if (!guard) {
        return std::unexpected(guard.error());
    }
    keeper_ = std::make_unique<DenyKeeper>(std::move(attachment_.deny), std::move(*guard));
    auto floods = FloodMonitor::open(attachment_.instance, config_.peers, *keeper_, kernel::monotonic_ns());
    if (!floods) {
        return std::unexpected(floods.error());
    }
    floods_ = std::move(*floods);
    auto signalling = Signalling::open(attachment_, config_, *decisions_, *floods_);
    if (!signalling) {
        return std::unexpected(signalling.error());
    }
    signalling_ = std::move(*signalling);
    states_ = std::make_unique<StateSweeper>(attachment_.instance);
    if (auto opened = open_api(); !opened) {
        return opened;
    }
    return watch_signals();
}

Result<> Daemon::Loop::open_manager() {
    const auto database = database_of(options_, config_);
    const auto folder = std::filesystem::path(database).parent_path();
    const bool is_file = database.starts_with('/') || !database.contains("://");
    if (config_.sm.mode == config::ManagerMode::embedded && is_file && !folder.empty()) {
        if (auto made = make_folder(folder); !made) {
            return made;
        }
    }
    auto manager = Manager::open(loop_, config_, attachment_.instance, database);
    if (!manager) {
        return std::unexpected(manager.error());
    }
    manager_ = std::move(*manager);
    delayed_.emplace(loop_, manager_->link());
    delayed_->set_delay(config_.sm.drill_delay);
    decisions_.emplace(*delayed_);
    return {};
}

Result<> Daemon::Loop::open_api() {
    const auto socket = config_.api.socket.empty()
                            ? api::socket_path(options_.locations.run_dir, options_.instance)
                            : std::filesystem::path(config_.api.socket);
    if (auto made = make_folder(socket.parent_path()); !made) {
        return made;
    }
    backend_ = std::make_unique<Backend>(Backend::Sources{.instance = attachment_.instance,
                                                          .signalling = *signalling_,
                                                          .floods = *floods_,
                                                          .manager = *manager_,
                                                          .decisions = *decisions_});
    auto server =
        api::Server::listen(loop_,
                            {.socket = socket,
                             .mode = static_cast<mode_t>(std::stoul(config_.api.mode, nullptr, octal)),
                             .connections = config_.api.connections,
                             .body_limit = sm::max_import_length,
                             .timeout = config_.api.timeout},
                            [this](const api::Request& request) { return api::answer(*backend_, request); });
    if (!server) {
        return std::unexpected(server.error());
    }
    server_ = std::move(*server);
    return {};
}

Result<> Daemon::Loop::watch_signals() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        error_code error;
        signals_.add(signal, error);
        if (error) {
            return fail_errno("watch signal " + std::to_string(signal), error.value());
        }
    }
    wait_for_signal();
    return {};
}

void Daemon::Loop::run() {
    for (const int fd : signalling_->descriptors()) {
        wait_for(descriptors_.emplace_back(loop_, fd));
    }
    tick_.expires_after(tick_interval);
    wait_for_tick();
    const stem_meta& meta = attachment_.instance.meta();
    spdlog::info("stemd {} ready: instance {}, {} between {} and {}", kernel::version, options_.instance,
                 meta.mode == STEM_MODE_ROUTER ? "router" : "bridge",
                 signalling_->ports().interface(STEM_PORT_EXTERNAL).name,
                 signalling_->ports().interface(STEM_PORT_INTERNAL).name);
    notify_service_manager("READY=1");
    loop_.run();
    notify_service_manager("STOPPING=1");
    stop();
}

void Daemon::Loop::wait_for(asio::posix::stream_descriptor& descriptor) {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this, &descriptor](error_code error) {
        if (!error) {
            receive();
            wait_for(descriptor);
        }
    });
}

// While unknown sources wait for their turn nothing need come in to give them one.
void Daemon::Loop::receive() {
    if (signalling_->receive() && !turn_posted_) {
        turn_posted_ = true;
        asio::post(loop_, [this] {
            turn_posted_ = false;
            receive();
        });
    }
}

void Daemon::Loop::wait_for_tick() {
    tick_.async_wait([this](error_code error) {
        if (error) {
            return;
        }
        on_tick();
        // Ticks that were missed are not made up for.
        tick_.expires_at(std::max(tick_.expiry() + tick_interval, std::chrono::steady_clock::now()));
        wait_for_tick();
    });
}

void Daemon::Loop::on_tick() {
    signalling_->tick();
    floods_->tick(kernel::monotonic_ns());
    ++ticks_;
    if (ticks_ % ticks_per_second == 0) {
        signalling_->drop_log().tick();
        signalling_->look_around();
        manager_->every_second();
    }
    if (ticks_ == ticks_per_minute) {
        ticks_ = 0;
        if (const auto expired = manager_->every_minute(); !expired) {
            spdlog::error("{}", expired.error().message());
        }
    }
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

void Daemon::Loop::reload() {
    const auto fresh = load_config(options_);
    if (!fresh) {
        spdlog::error("configuration not reloaded: {}", fresh.error().message());
        return;
    }
    if (auto reloaded = manager_->reload(); !reloaded) {
        spdlog::error("{}", reloaded.error().message());
    }
    const auto changes = config::compare(config_, *fresh);
    config_ = config::merge_live(config_, *fresh);
    set_log_level(config_.log.level);
    signalling_->drop_log().set_limit(config_.log.drops_per_second);
    delayed_->set_delay(config_.sm.drill_delay);
    spdlog::info("configuration reloaded; changed: {}",
                 changes.live.empty() ? "nothing" : fmt::format("{}", fmt::join(changes.live, ", ")));
    if (!changes.after_restart.empty()) {
        spdlog::warn("these change only when stemd is started anew: {}",
                     fmt::join(changes.after_restart, ", "));
    }
}

void Daemon::Loop::stop() {
    server_.reset();
    for (auto& descriptor : descriptors_) {
        descriptor.release();
    }
    signalling_->stop();
    const auto totals = signalling_->monitor().totals();
    spdlog::info("stopped; {} calls and {} pinholes stay for the next stemd", totals.calls, totals.pinholes);
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
    auto attachment = Attachment::adopt(options.locations, options.instance);
    if (!attachment) {
        return std::unexpected(attachment.error());
    }
    auto loop = std::make_unique<Loop>(options, *config, std::move(*attachment));
    if (auto opened = loop->open(); !opened) {
        return std::unexpected(opened.error());
    }
    if (config->sm.drill_delay.count() > 0) {
        spdlog::warn("a drill: every decision comes {} ms late ([sm] drill_delay_ms)",
                     config->sm.drill_delay.count());
    }
    return std::unique_ptr<Daemon>(new Daemon(std::move(loop)));
}

void Daemon::run() {
    loop_->run();
}

} // namespace stem::stemd
