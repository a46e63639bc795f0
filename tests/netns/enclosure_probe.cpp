// SPDX-License-Identifier: Apache-2.0
// A program in an enclosure for enclosure_test: it makes a world with a proxy, a bpffs pin's folder and a
// sleeper that ignores SIGTERM, says "ready" with its own pid on standard output, and waits to be ended.
//   enclosure_probe           waits for ever
//   enclosure_probe STATUS    ends by itself with that status
#include "lab/enclosure.h"
#include "lab/kamailio.h"
#include "lab/process.h"
#include "lab/world.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace {

using namespace stem::lab;

int live(int argc, char** argv) {
    const auto world = World::create({.mode = Mode::router});
    if (!world) {
        std::fputs(world.error().message().c_str(), stderr);
        return 1;
    }
    const auto kamailio =
        Kamailio::start(world->inside(), {.addresses = {world->proxy(Family::v4), world->proxy(Family::v6)}});
    const auto sleeper = Process::start(
        {.name = "sleeper", .argv = {"sh", "-c", "trap '' TERM; while :; do sleep 1000; done"}});
    if (!kamailio || !sleeper || !std::filesystem::create_directory(bpffs() / "pins")) {
        std::fputs("no kamailio, sleeper or bpffs\n", stderr);
        return 1;
    }
    std::puts("ready");
    std::fflush(stdout);
    if (argc > 1) {
        return std::atoi(argv[1]); // NOLINT(cert-err34-c): the test gives a number
    }
    for (;;) {
        pause();
    }
}

} // namespace

int main(int argc, char** argv) {
    return stem::lab::run_enclosed([&] { return live(argc, argv); });
}
