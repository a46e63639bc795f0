// SPDX-License-Identifier: Apache-2.0
// The Security Manager in this process: decisions are answered before decide() returns.
#pragma once

#include "sm/admission.h"
#include "sm/decision.h"
#include "sm/directory.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace stem::sm {

class EmbeddedLink final : public Link {
  public:
    using Clock = std::function<TimePoint()>;
    // Both must outlive the link.
    EmbeddedLink(Directory& directory, Admission& admission, Clock clock = std::chrono::system_clock::now);

    void decide(const Query& query, std::function<void(Decision)> done) override;
    void learn(const Binding& binding) override;
    void report(const StreamEnd& end) override;
    void follow(const CallEvent& event) override { admission_.follow(event, firewall); }

    // As the audit trail knows the firewall that this process is.
    static inline const std::string firewall = "stemd";

    // Bindings seen, by what became of them.
    struct Counters {
        std::uint64_t stored = 0;
        std::uint64_t removed = 0;
        std::uint64_t unknown_user = 0; // ignored: no user has that address of record
        std::uint64_t failed = 0;       // unreadable, or the database did not take it: last_failure()
    };
    // Streams that firewalls ended for their excess.
    [[nodiscard]] std::uint64_t streams_ended() const noexcept { return streams_ended_; }
    [[nodiscard]] const std::optional<StreamEnd>& last_stream_end() const noexcept {
        return last_stream_end_;
    }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
    [[nodiscard]] const std::string& last_failure() const noexcept { return last_failure_; } // "" = none

  private:
    Directory& directory_;
    Admission& admission_;
    Clock clock_;
    Counters counters_;
    std::uint64_t streams_ended_ = 0;
    std::optional<StreamEnd> last_stream_end_;
    std::string last_failure_;
};

} // namespace stem::sm
