// SPDX-License-Identifier: Apache-2.0
// Which address a client had called when its SIP was steered to the proxy: by transaction, and by call.
//
// The kernel knows the last address that a client's port has called. A trunk calls many from one port, and
// talks to the proxy itself, too: so what the proxy sends goes by the Call-ID. What is not known here (a call
// from before this stemd started) goes by the kernel's table.
#pragma once

#include <stem/address.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace stem::stemd {

// What of a SIP message is needed here; views of the message. Read from its text, ahead of any check.
struct CallMarks {
    std::string_view call_id;
    std::string_view cseq; // number and method, as written
    bool response = false;
    bool has_to_tag = false;

    static CallMarks read(std::string_view message) noexcept;
};

class ProxiedCalls {
  public:
    explicit ProxiedCalls(std::size_t limit = 131072) : limit_(limit) {}

    // From `client`, to `called`, steered to the proxy.
    void steered(const Endpoint& client, const Endpoint& called, const CallMarks& marks,
                 std::uint64_t now_ns);
    // From `client` to the proxy itself: the answer must not be taken for one of its steered calls. Such
    // calls may take half of the room.
    void direct(const Endpoint& client, const CallMarks& marks, std::uint64_t now_ns);

    struct Origin {
        std::optional<Endpoint> called; // nothing: the proxy's own, which stays as it is
    };
    // As whom the proxy speaks to `client`; nothing: not known here.
    std::optional<Origin> origin_of(const Endpoint& client, const CallMarks& marks, std::uint64_t now_ns);

    void expire(std::uint64_t now_ns);
    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }

  private:
    struct Entry {
        std::optional<Endpoint> called;
        std::uint64_t expires_ns = 0;
    };
    Entry* find(const std::string& key, std::uint64_t now_ns);
    void put(std::string key, const Entry& entry);

    std::size_t limit_; // full: the kernel's table has to do
    std::unordered_map<std::string, Entry> table_;
};

} // namespace stem::stemd
