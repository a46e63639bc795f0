// SPDX-License-Identifier: Apache-2.0
#include "sm/embedded_link.h"

#include <utility>

namespace stem::sm {

EmbeddedLink::EmbeddedLink(Directory& directory, Admission& admission, Clock clock)
    : directory_(directory), admission_(admission), clock_(std::move(clock)) {
}

void EmbeddedLink::decide(const Query& query, std::function<void(Decision)> done) {
    done(admission_.decide(query, firewall));
}

void EmbeddedLink::learn(const Binding& binding) {
    const auto learned = directory_.learn(binding, clock_());
    if (!learned) {
        ++counters_.failed;
        last_failure_ = learned.error().message();
        return;
    }
    switch (*learned) {
    case Directory::Learned::stored:
        ++counters_.stored;
        break;
    case Directory::Learned::removed:
        ++counters_.removed;
        break;
    case Directory::Learned::unknown_user:
        ++counters_.unknown_user;
        break;
    }
}

void EmbeddedLink::report(const StreamEnd& end) {
    ++streams_ended_;
    admission_.report(end, firewall);
    last_stream_end_ = end;
}

} // namespace stem::sm
