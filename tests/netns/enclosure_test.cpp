// SPDX-License-Identifier: Apache-2.0
// Whatever ends an enclosure, nothing of it is left: no process, no namespace, no mount, no interface, no
// file. The probe runs in an enclosure inside that of this test.
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/text_file.h"

#include <gtest/gtest.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;

std::vector<pid_t> all_processes() {
    std::vector<pid_t> all;
    std::error_code ignored; // processes come and go while we look
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        pid_t process = 0;
        const auto read = std::from_chars(name.data(), name.data() + name.size(), process);
        if (read.ec == std::errc{} && read.ptr == name.data() + name.size()) {
            all.push_back(process);
        }
    }
    return all;
}

pid_t parent_of(pid_t process) {
    const auto stat = read_text("/proc/" + std::to_string(process) + "/stat").value_or("");
    const auto after_name = stat.rfind(") ");
    pid_t parent = 0;
    if (after_name != std::string::npos && stat.size() > after_name + 4) {
        std::from_chars(stat.data() + after_name + 4, stat.data() + stat.size(), parent);
    }
    return parent;
}

// What can be seen from outside of what exists now.
struct Trace {
    std::set<pid_t> processes;
    std::set<std::string> namespaces;
    std::string mounts;
    std::string interfaces;

    static Trace now() {
        Trace trace;
        for (const pid_t process : all_processes()) {
            trace.processes.insert(process);
            for (const char* kind : {"net", "mnt", "pid"}) {
                std::error_code gone;
                const auto link =
                    std::filesystem::read_symlink("/proc/" + std::to_string(process) + "/ns/" + kind, gone);
                if (!gone) {
                    trace.namespaces.insert(link);
                }
            }
        }
        trace.mounts = read_text("/proc/self/mountinfo").value_or("unreadable");
        trace.interfaces = read_text("/proc/self/net/dev").value_or("unreadable");
        return trace;
    }
};

class Enclosure : public testing::Test {
  protected:
    void start(std::vector<std::string> arguments = {}) {
        before_ = Trace::now();
        arguments.insert(arguments.begin(), STEM_ENCLOSURE_PROBE);
        auto probe = Process::start({.name = "probe", .argv = std::move(arguments)});
        ASSERT_TRUE(probe) << probe.error().message();
        probe_.emplace(std::move(*probe));
    }

    void await_life() {
        ASSERT_TRUE(eventually([this] { return probe_->output().contains("ready"); }, 20s))
            << probe_->last_words();
        const Trace alive = Trace::now();
        // The probe, its pid 1, the body, the sleeper, Kamailio with its children.
        ASSERT_GE(alive.processes.size(), before_.processes.size() + 6);
        // One pid and one mount namespace; net: the enclosure's and the inside's, where Kamailio runs.
        ASSERT_GE(alive.namespaces.size(), before_.namespaces.size() + 4);
    }

    // The one child of a process.
    static pid_t child_of(pid_t parent) {
        for (const pid_t process : all_processes()) {
            if (parent_of(process) == parent) {
                return process;
            }
        }
        return -1;
    }

    void expect_nothing_left(int status) {
        const auto ended = probe_->wait(10s);
        ASSERT_TRUE(ended) << ended.error().message();
        EXPECT_EQ(*ended, status) << probe_->last_words();
        Trace after;
        // The kernel ends the PID namespace of a killed process on its own time.
        eventually(
            [&] {
                after = Trace::now();
                return after.processes == before_.processes;
            },
            10s);
        EXPECT_EQ(after.processes, before_.processes);
        EXPECT_EQ(after.namespaces, before_.namespaces);
        EXPECT_EQ(after.mounts, before_.mounts);
        EXPECT_EQ(after.interfaces, before_.interfaces);
    }

    std::optional<Process> probe_;
    Trace before_;
};

TEST_F(Enclosure, EndsWithTheStatusOfItsBody) {
    start({"42"});
    expect_nothing_left(42);
}

TEST_F(Enclosure, LeavesNothingWhenTheProgramIsKilled) {
    start();
    await_life();
    probe_->signal(SIGKILL);
    expect_nothing_left(128 + SIGKILL);
}

TEST_F(Enclosure, LeavesNothingWhenTheBodyIsKilled) {
    start();
    await_life();
    const pid_t first = child_of(probe_->pid());
    ASSERT_GT(first, 0);
    const pid_t body = child_of(first);
    ASSERT_GT(body, 0);
    ASSERT_EQ(kill(body, SIGKILL), 0);
    expect_nothing_left(128 + SIGKILL);
}

TEST_F(Enclosure, LeavesNothingWhenItsFirstProcessIsKilled) {
    start();
    await_life();
    const pid_t first = child_of(probe_->pid());
    ASSERT_GT(first, 0);
    ASSERT_EQ(kill(first, SIGKILL), 0);
    expect_nothing_left(128 + SIGKILL);
}

TEST_F(Enclosure, SaysWhatItStoppedWhenInterrupted) {
    start();
    await_life();
    probe_->signal(SIGINT);
    expect_nothing_left(130);
    EXPECT_TRUE(probe_->errors().contains("Interrupted: stopped kamailio (pid ")) << probe_->errors();
    EXPECT_TRUE(probe_->errors().contains("sleeper (pid ")) << probe_->errors();
}

TEST_F(Enclosure, SaysWhatItStoppedWhenTerminated) {
    start();
    await_life();
    probe_->signal(SIGTERM);
    expect_nothing_left(143);
    EXPECT_TRUE(probe_->errors().contains("Terminated: stopped ")) << probe_->errors();
}

// As a terminal does it: every process of the group gets the signal at the same time.
TEST_F(Enclosure, TakesASignalToAllItsProcessesOnce) {
    start();
    await_life();
    ASSERT_EQ(kill(-probe_->pid(), SIGINT), 0);
    expect_nothing_left(130);
}

TEST(Processes, ThatDoNotExistAreNamed) {
    const auto process = Process::start({.name = "ghost", .argv = {"no-such-program-here"}});
    ASSERT_FALSE(process);
    EXPECT_TRUE(process.error().message().contains("no-such-program-here")) << process.error().message();
    EXPECT_EQ(process.error().code, ENOENT);
}

TEST(Processes, FailWithWhatTheyWrote) {
    const auto output =
        run_command({.name = "failing", .argv = {"sh", "-c", "echo this and that >&2; exit 3"}});
    ASSERT_FALSE(output);
    EXPECT_TRUE(output.error().message().contains("status 3: this and that")) << output.error().message();
}

TEST(Processes, ReadTheirInput) {
    const auto output = run_command({.name = "cat", .argv = {"cat"}, .input = "one\ntwo\n"});
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(*output, "one\ntwo\n");
}

TEST(Processes, AreStoppedWithTheirChildren) {
    auto process = Process::start({.name = "family", .argv = {"sh", "-c", "sleep 1000 & echo $!; wait"}});
    ASSERT_TRUE(process) << process.error().message();
    ASSERT_TRUE(eventually([&] { return process->output().contains('\n'); }, 5s));
    const std::string child = process->output();
    EXPECT_EQ(process->stop(), 128 + SIGTERM);
    const auto path = "/proc/" + child.substr(0, child.find('\n'));
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); }, 5s)) << path;
}

} // namespace
} // namespace stem::lab
