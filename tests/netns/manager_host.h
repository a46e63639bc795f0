// SPDX-License-Identifier: Apache-2.0
// stem-smd programs for tests, with an authority of their own, in one network namespace.
#pragma once

#include "lab/netns.h"
#include "lab/process.h"

#include <stem/address.h>
#include <stem/error.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stem::lab {

class ManagerHost {
  public:
    struct Programs {
        std::string stemctl;
        std::string stem_smd;
    };
    // Makes the authority, and certificates: server sm1 and sm2, firewall fw1, admin ann, terminal tom,
    // gateway gwen.
    static Result<ManagerHost> create(Programs programs, const Netns& netns);

    // Of all that are started from then on, instead of a SQLite file each.
    void share_database(std::string address) { shared_database_ = std::move(address); }
    // At which all that are started from then on listen, too.
    void listen_on(const Address& address) { addresses_.push_back(address); }
    // Listens on 127.0.0.1 and ::1 at port(number); returns when it is ready. `more`: TOML, behind the tables
    // for server, tls and sm; `listening`: in the table for server.
    Result<> start(unsigned number, const std::string& more = "", const std::string& listening = "");
    [[nodiscard]] Process& process(unsigned number) { return processes_.at(number); }
    void stop(unsigned number) { processes_.erase(number); } // SIGKILL, if it runs
    static unsigned port(unsigned number) { return 7442 + number; }

    [[nodiscard]] std::filesystem::path folder() const { return folder_; }
    [[nodiscard]] std::filesystem::path issued(const std::string& file) const {
        return folder_ / "pki" / "issued" / file;
    }
    [[nodiscard]] std::filesystem::path ca() const { return folder_ / "pki" / "ca.crt"; }
    [[nodiscard]] std::filesystem::path crl() const { return folder_ / "pki" / "ca.crl"; }

    // stemctl against that manager, as admin ann.
    Result<std::string> stemctl(unsigned number, std::vector<std::string> arguments) const;
    Result<std::string> pki(std::vector<std::string> arguments) const;
    // STEM_SM and its like, of that manager.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment(unsigned number) const;
    // [sm] keys of a stemd that is to use these managers.
    [[nodiscard]] std::string stemd_config(const std::vector<unsigned>& numbers, bool v6) const;
    // Its metrics; "" when it does not answer.
    [[nodiscard]] std::string metrics(unsigned number) const;

  private:
    ManagerHost(Programs programs, const Netns& netns, std::filesystem::path folder)
        : programs_(std::move(programs)), netns_(&netns), folder_(std::move(folder)) {}

    Programs programs_;
    const Netns* netns_;
    std::filesystem::path folder_;
    std::map<unsigned, Process> processes_;
    std::string shared_database_;
    std::vector<Address> addresses_;
};

} // namespace stem::lab
