// SPDX-License-Identifier: Apache-2.0
// MGCP messages (RFC 3435 3): a command or a response of lines, and a session description behind an empty
// one. A datagram may hold several, parted by a line with a dot (3.5.5). Bounded and strict in form, and
// nothing that it does not know is refused: verbs, parameters and packages may be anyone's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::mgcp {

struct Limits {
    std::size_t datagram = 4096; // octets
    std::size_t messages = 8;    // in one datagram
    std::size_t lines = 64;      // of one message, without its description
    std::size_t line = 512;      // octets
};

// Those that connections hang on; any other is passed.
enum class Verb : std::uint8_t { create, modify, erase, restart, other };

struct Message {
    bool command = false;
    Verb verb = Verb::other;       // of a command
    int code = 0;                  // of a response: 0 to 999
    std::uint32_t transaction = 0; // 1 to 999,999,999
    std::string endpoint;          // of a command, lower case: "aaln/1@gateway.example.net"
    std::string call;              // C: hexadecimal, lower case; "" = none
    std::string connection;        // I:
    std::string mode;              // M: lower case
    std::string specific_endpoint; // Z: lower case
    std::string restart_method;    // RM: lower case
    std::string_view description;  // in the datagram; "" = none
};

// An error names the line and what is wrong with it.
std::expected<std::vector<Message>, std::string> parse(std::string_view datagram, const Limits& limits);

// May `pattern`, an endpoint with wildcards ("*@gateway", "aaln/*@gateway"), mean `endpoint` (2.1.2)?
bool covers(std::string_view pattern, std::string_view endpoint) noexcept;

} // namespace stem::mgcp
