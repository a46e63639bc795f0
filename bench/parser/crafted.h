// SPDX-License-Identifier: Apache-2.0
// Messages made to be dear, and two that are not: each as large as the caps allow, and beyond.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace stem::bench {

struct Crafted {
    std::string name; // "uri_parameters"
    std::string text;
};

// Of about `size` octets each: lists that are the square of their length to some parsers (URI parameters and
// headers, unknown headers, Route by comma, Via lines), what passes the caps of [sip.limits] to the full,
// bodies of many parts, descriptions of many lines; and an ordinary INVITE and OPTIONS for comparison.
std::vector<Crafted> crafted_messages(std::size_t size);

} // namespace stem::bench
