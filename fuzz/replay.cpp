// SPDX-License-Identifier: Apache-2.0
// A fuzzer without libFuzzer: in the build that everybody has, each seed and a few changes of it go through
// the same checks, which abort. So a fuzzer that does not build any more, and a finding that comes back, are
// seen by every test run; what is new is for `./run fuzz` to find.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

// libFuzzer's interface.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" [[gnu::weak]] std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                             std::size_t room, unsigned seed);
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room);

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr int changes_of_a_seed = 60;
constexpr std::size_t more = 64; // octets that a change may add

std::minstd_rand chance; // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time, on purpose

Octets read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void change(Octets& octets) {
    const std::size_t size = octets.size();
    octets.resize(size + more);
    octets.resize(
        LLVMFuzzerCustomMutator != nullptr
            ? LLVMFuzzerCustomMutator(octets.data(), size, octets.size(), static_cast<unsigned>(chance()))
            : LLVMFuzzerMutate(octets.data(), size, octets.size()));
}

std::size_t play(const std::filesystem::path& folder) {
    std::size_t seeds = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        ++seeds;
        Octets octets = read(entry.path());
        LLVMFuzzerTestOneInput(octets.data(), octets.size());
        chance.seed(static_cast<unsigned>(octets.size()) + 1);
        for (int i = 0; i < changes_of_a_seed; ++i) {
            change(octets);
            // A copy of the exact size: what reads past its end is seen by a sanitizer.
            const Octets input(octets.begin(), octets.end());
            LLVMFuzzerTestOneInput(input.data(), input.size());
        }
    }
    return seeds;
}

} // namespace

// Far simpler than libFuzzer's: an octet becomes another, comes in, or goes.
std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room) {
    const std::span octets(data, room);
    const std::size_t at = size == 0 ? 0 : chance() % size;
    const auto any = static_cast<std::uint8_t>(chance());
    switch (chance() % 3) {
    case 0:
        if (size < room) {
            std::copy_backward(octets.begin() + static_cast<std::ptrdiff_t>(at),
                               octets.begin() + static_cast<std::ptrdiff_t>(size),
                               octets.begin() + static_cast<std::ptrdiff_t>(size) + 1);
            octets[at] = any;
            return size + 1;
        }
        [[fallthrough]];
    case 1:
        if (size > 1) {
            std::copy(octets.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                      octets.begin() + static_cast<std::ptrdiff_t>(size),
                      octets.begin() + static_cast<std::ptrdiff_t>(at));
            return size - 1;
        }
        [[fallthrough]];
    default:
        if (size > 0) {
            octets[at] = any;
        }
        return size;
    }
}

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    if (arguments.size() < 2) {
        std::fprintf(stderr, "usage: %s FOLDER...: plays the seeds in them\n", arguments[0]);
        return 2;
    }
    for (const char* folder : arguments.subspan(1)) {
        const std::size_t seeds = std::filesystem::is_directory(folder) ? play(folder) : 0;
        if (seeds == 0) { // else nothing would be tested, and nobody told
            std::fprintf(stderr, "%s: no folder with seeds in it\n", folder);
            return 1;
        }
        std::printf("%s: %zu seeds, %zu inputs, no finding\n", folder, seeds,
                    seeds * (changes_of_a_seed + 1));
    }
    return 0;
}
