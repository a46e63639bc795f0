// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/reassembly.h>

#include <algorithm>
#include <iterator>

namespace stem::tcp {

std::size_t Reassembly::take(Seq sequence, std::string_view octets) {
    const std::int32_t ahead = distance(next_, sequence);
    if (ahead < 0) { // begins with what has been taken already
        const auto old = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
        if (old >= octets.size()) {
            return 0;
        }
        octets.remove_prefix(old);
    }
    const std::size_t gap = ahead > 0 ? static_cast<std::size_t>(ahead) : 0;
    const std::size_t room = capacity_ > ready().size() ? capacity_ - ready().size() : 0;
    if (gap >= room) {
        return 0;
    }
    octets = octets.substr(0, room - gap);
    std::size_t taken = 0;
    take_behind_gap(position_ + gap, octets, taken);
    join();
    return taken;
}

// Fills the holes between what is there.
void Reassembly::take_behind_gap(std::uint64_t offset, std::string_view octets, std::size_t& taken) {
    while (!octets.empty()) {
        const auto following = islands_.upper_bound(offset);
        if (following != islands_.begin()) {
            const auto& [start, held] = *std::prev(following);
            const std::uint64_t end = start + held.size();
            if (end > offset) { // came before
                const auto skip =
                    static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, octets.size()));
                octets.remove_prefix(skip);
                offset += skip;
                continue;
            }
        }
        const std::size_t length =
            following == islands_.end()
                ? octets.size()
                : static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), following->first - offset));
        const std::string_view piece = octets.substr(0, length);
        if (following != islands_.begin() &&
            std::prev(following)->first + std::prev(following)->second.size() == offset) {
            std::prev(following)->second += piece; // no node of its own for what only lengthens one
        } else if (offset == position_ || islands_.size() < islands_max) {
            islands_.emplace_hint(following, offset, piece);
        } else {
            return;
        }
        out_of_order_ += length;
        taken += length;
        octets.remove_prefix(length);
        offset += length;
    }
}

// What touches the end of the row becomes a part of it.
void Reassembly::join() {
    while (!islands_.empty() && islands_.begin()->first == position_) {
        const std::string& piece = islands_.begin()->second;
        if (read_ > 0 && read_ >= ready_.size() / 2) {
            ready_.erase(0, read_);
            read_ = 0;
        }
        ready_ += piece;
        position_ += piece.size();
        next_ += static_cast<Seq>(piece.size());
        out_of_order_ -= piece.size();
        islands_.erase(islands_.begin());
    }
}

void Reassembly::consume(std::size_t octets) {
    read_ += std::min(octets, ready().size());
    if (read_ == ready_.size()) {
        ready_.clear();
        read_ = 0;
    }
}

} // namespace stem::tcp
