// SPDX-License-Identifier: Apache-2.0
#include "lab/process.h"

#include "lab/enclosure.h"
#include "lab/netns.h"
#include "lab/running.h"
#include "lab/text_file.h"

#include <stem/unique_fd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <thread>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (auto& text : texts) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto replaced = [&](const auto& pair) { return text.starts_with(pair.first + "="); };
        if (std::ranges::none_of(added, replaced)) {
            all.emplace_back(text);
        }
    }
    for (const auto& [key, value] : added) {
        all.push_back(fmt::format("{}={}", key, value));
    }
    return all;
}

// The program's standard input: a file in memory, read from its beginning.
Result<UniqueFd> input_file(const std::string& text) {
    if (text.empty()) {
        return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    UniqueFd file(memfd_create("stdin", MFD_CLOEXEC));
    if (!file || write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        lseek(file.get(), 0, SEEK_SET) != 0) {
        return fail_errno("make the standard input of a program");
    }
    return file;
}

struct Launch {
    int netns;
    int input;
    int output;
    int errors;
    int report; // a failure's errno is written here; closed by a successful exec
    const char* directory;
    char* const* argv;
    char* const* environment;
    pid_t parent;
};

// Between fork and exec: system calls only, because other threads may have held any lock.
[[noreturn]] void become(const Launch& launch) {
    sigset_t none;
    sigemptyset(&none);
    const bool ready =
        setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == launch.parent &&
        (launch.netns < 0 || setns(launch.netns, CLONE_NEWNET) == 0) && chdir(launch.directory) == 0 &&
        dup2(launch.input, STDIN_FILENO) >= 0 && dup2(launch.output, STDOUT_FILENO) >= 0 &&
        dup2(launch.errors, STDERR_FILENO) >= 0 && sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
    if (ready) {
        execvpe(launch.argv[0], launch.argv, launch.environment);
    }
    const int error = errno;
    [[maybe_unused]] const auto written = write(launch.report, &error, sizeof error);
    _exit(127);
}

UniqueFd create_file(const std::filesystem::path& path) {
    return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
}

std::string last_lines(const std::string& text) {
    constexpr std::size_t most = 1500;
    return text.size() <= most ? text : "..." + text.substr(text.size() - most);
}

} // namespace

Result<Process> Process::start(const Command& command) {
    static std::atomic<unsigned> count = 0;
    const auto base = scratch() / fmt::format("{:03}-{}", ++count, command.name);
    auto output_path = std::filesystem::path(base).concat(".out");
    auto errors_path = std::filesystem::path(base).concat(".err");

    const std::string attempt = fmt::format("start {}", command.name);
    auto input = input_file(command.input);
    if (!input) {
        return std::unexpected(input.error());
    }
    const UniqueFd output = create_file(output_path);
    const UniqueFd errors = create_file(errors_path);
    std::array<int, 2> ends{};
    if (!output || !errors || pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail_errno(attempt + ": make its files", errno, "run it in an enclosure (lab/enclosure.h)");
    }
    const UniqueFd report_read(ends[0]);
    UniqueFd report_write(ends[1]);

    auto texts = command.argv;
    auto environment_texts = environment_with(command.environment);
    const auto argv = pointers_to(texts);
    const auto environment = pointers_to(environment_texts);
    const std::string directory = command.directory.empty() ? scratch().string() : command.directory.string();
    const Launch launch{.netns = command.netns != nullptr ? command.netns->fd() : -1,
                        .input = input->get(),
                        .output = output.get(),
                        .errors = errors.get(),
                        .report = report_write.get(),
                        .directory = directory.c_str(),
                        .argv = argv.data(),
                        .environment = environment.data(),
                        .parent = getpid()};
    const pid_t pid = fork();
    if (pid == 0) {
        become(launch);
    }
    if (pid < 0) {
        return fail_errno(attempt);
    }
    report_write.reset();
    int error = 0;
    if (read(report_read.get(), &error, sizeof error) == sizeof error) {
        waitpid(pid, nullptr, 0);
        return fail_errno(fmt::format("{}: run {} in {}", attempt, command.argv.front(), directory), error,
                          error == ENOENT ? "is its package installed?" : "");
    }
    Running::instance().add(pid, command.name);
    return Process(pid, command.name, std::move(output_path), std::move(errors_path));
}

Process::Process(pid_t pid, std::string name, std::filesystem::path output, std::filesystem::path errors)
    : pid_(pid), name_(std::move(name)), output_(std::move(output)), errors_(std::move(errors)) {
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), reaped_(other.reaped_), status_(other.status_),
      name_(std::move(other.name_)), output_(std::move(other.output_)), errors_(std::move(other.errors_)) {
}

Process& Process::operator=(Process&& other) noexcept {
    if (this != &other) {
        end_now();
        pid_ = std::exchange(other.pid_, -1);
        reaped_ = other.reaped_;
        status_ = other.status_;
        name_ = std::move(other.name_);
        output_ = std::move(other.output_);
        errors_ = std::move(other.errors_);
    }
    return *this;
}

Process::~Process() {
    end_now();
}

int Process::end_now() {
    if (pid_ > 0 && !reaped_) {
        Running::instance().remove(pid_);
        kill(-pid_, SIGKILL); // what is left of the group; nothing to a leader that has ended
        int wait_status = 0;
        if (waitpid(pid_, &wait_status, 0) == pid_) {
            status_ = shell_status(wait_status);
        }
        reaped_ = true;
    }
    return status_;
}

bool Process::running() const {
    return pid_ > 0 && !reaped_ && !has_ended(pid_);
}

std::string Process::output() const {
    return read_text(output_).value_or("");
}
std::string Process::errors() const {
    return read_text(errors_).value_or("");
}
std::string Process::last_words() const {
    return last_lines(output()) + last_lines(errors());
}

void Process::signal(int number) const {
    if (pid_ > 0 && !reaped_) {
        kill(pid_, number);
    }
}

Result<int> Process::wait(std::chrono::milliseconds timeout) {
    if (reaped_) {
        return status_;
    }
    if (!eventually([this] { return has_ended(pid_); }, timeout)) {
        return fail(fmt::format("wait for {} (pid {}) to end", name_, pid_),
                    fmt::format("still running after {} ms; it wrote: {}", timeout.count(), last_words()));
    }
    return end_now();
}

int Process::stop(std::chrono::milliseconds grace) {
    if (reaped_ || pid_ < 0) {
        return status_;
    }
    kill(-pid_, SIGTERM);
    eventually([this] { return has_ended(pid_); }, grace);
    return end_now();
}

std::chrono::nanoseconds Process::cpu_time() const {
    std::int64_t total = 0;
    std::error_code ignored; // a process may end while we look
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string id = entry.path().filename();
        pid_t process = 0;
        const auto read = std::from_chars(id.data(), id.data() + id.size(), process);
        if (read.ec != std::errc{} || read.ptr != id.data() + id.size() || getpgid(process) != pid_) {
            continue;
        }
        for (const auto& task : std::filesystem::directory_iterator(entry.path() / "task", ignored)) {
            const std::string text = read_text(task.path() / "schedstat").value_or("0");
            std::int64_t nanoseconds = 0;
            std::from_chars(text.data(), text.data() + text.size(), nanoseconds);
            total += nanoseconds;
        }
    }
    return std::chrono::nanoseconds(total);
}

Result<std::string> run_command(const Command& command, std::chrono::milliseconds timeout) {
    auto process = Process::start(command);
    if (!process) {
        return std::unexpected(process.error());
    }
    auto status = process->wait(timeout);
    if (!status) {
        return std::unexpected(status.error());
    }
    if (*status != 0) {
        return fail(fmt::format("run {}", fmt::join(command.argv, " ")),
                    fmt::format("status {}: {}", *status, process->last_words()));
    }
    return process->output();
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            return condition();
        }
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

} // namespace stem::lab
