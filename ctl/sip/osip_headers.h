// SPDX-License-Identifier: Apache-2.0
// libosip2's reading of the structured headers, owned.
#pragma once

#include "ctl/sip/prescan.h"

#include <osipparser2/osip_message.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sip {

struct OsipMessageDeleter {
    void operator()(osip_message_t* message) const noexcept { osip_message_free(message); }
};

using OsipMessage = std::unique_ptr<osip_message_t, OsipMessageDeleter>;

// Gives libosip2 a copy of its own: a start line of ours (it knows fewer URI schemes than there are, and the
// request line is read already), the headers that it has structures for, unfolded, and Content-Length 0, so
// that its code for bodies and MIME is never entered. Safe from any thread.
std::expected<OsipMessage, Rejection> read_headers(const Scan& scan);

// The parameters of a From, To, Contact or Via, by name without regard to case.
class OsipParameters {
  public:
    explicit OsipParameters(const osip_list_t& list) noexcept : list_(&list) {}

    struct Found {
        std::size_t count = 0;
        std::string_view value; // of the first; "" where it has none
    };
    [[nodiscard]] Found find(std::string_view name) const noexcept;

  private:
    const osip_list_t* list_;
};

// What a list of libosip2 holds, in order.
template<typename Item>
std::vector<const Item*> items_of(const osip_list_t& list) {
    std::vector<const Item*> items;
    items.reserve(static_cast<std::size_t>(osip_list_size(&list)));
    osip_list_iterator_t iterator;
    for (void* item = osip_list_get_first(&list, &iterator); item != nullptr;
         item = osip_list_get_next(&iterator)) {
        items.push_back(static_cast<const Item*>(item));
    }
    return items;
}

inline std::string_view text_of(const char* text) noexcept {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

} // namespace stem::sip
