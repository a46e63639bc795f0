// SPDX-License-Identifier: Apache-2.0
#include "sm/embedded_link.h"

#include <utility>

namespace stem::sm {

EmbeddedLink::EmbeddedLink(Directory& directory, const Settings& settings, Clock clock)
    : directory_(directory), decider_(directory, settings), clock_(std::move(clock)) {
}

void EmbeddedLink::decide(const Query& query, std::function<void(Decision)> done) {
    done(decider_.decide(query));
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
    last_stream_end_ = end;
}

} // namespace stem::sm
