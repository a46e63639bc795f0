// SPDX-License-Identifier: Apache-2.0
// A network namespace without a name in the file system: it lives as long as the object, a process or a
// socket in it.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stem::lab {

class Netns {
  public:
    // `name` is for messages and logs only. The loopback interface is up; IPv6 addresses are usable at once
    // (no duplicate address detection) and no router advertisement is listened to.
    static Result<Netns> create(std::string name);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); } // for setns(2)

    // Runs `work`, which returns a Result, on a short-lived thread inside the namespace and waits for it.
    // Sockets opened there stay in the namespace. Do not start a Process there: it would end with the thread.
    template<typename Work>
    auto run(Work&& work) const -> std::invoke_result_t<Work> {
        std::optional<std::invoke_result_t<Work>> outcome;
        if (auto entered = run_inside([&] { outcome.emplace(work()); }); !entered) {
            return std::unexpected(std::move(entered.error()));
        }
        return std::move(*outcome);
    }

    // Lines for `ip -batch -`, each a command without the leading "ip": "addr add 192.0.2.1/24 dev
    // int0\n...".
    Result<> ip(std::string_view batch) const;
    // `key` as under /proc/sys/net: "ipv4/ip_forward".
    Result<> sysctl(std::string_view key, std::string_view value) const;
    // Waits until the interfaces are operationally up. A bridge takes no frame from a port before, and the
    // kernel may need a second to notice a carrier.
    Result<> await_running(const std::vector<std::string>& interfaces) const;
    // As AF_XDP and XDP_REDIRECT between veth ports need it: checksums are written by the sender (`tx off`),
    // and the receive path is the NAPI one even where no XDP program is attached (`gro on`).
    Result<> prepare_veth(const std::string& interface) const;

  private:
    Netns(std::string name, UniqueFd fd) : name_(std::move(name)), fd_(std::move(fd)) {}
    Result<> run_inside(const std::function<void()>& work) const;

    std::string name_;
    UniqueFd fd_;
};

// One end of a veth pair, to be made.
struct VethEnd {
    const Netns& netns;
    std::string interface;
};

// Makes a pair, prepared as prepare_veth() says; both ends are still down.
Result<> connect(const VethEnd& left, const VethEnd& right);

} // namespace stem::lab
