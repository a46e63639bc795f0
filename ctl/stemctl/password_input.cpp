// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/password_input.h"

#include <stem/unique_fd.h>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <array>

namespace stem::stemctl {
namespace {

constexpr std::size_t longest = 1024; // of a line; the Security Manager takes less

// Without what ends it; an end of file ends it, too.
Result<std::string> read_line(int fd, const std::string& attempt) {
    std::string line;
    std::array<char, 1> octet{};
    while (true) {
        const auto got = ::read(fd, octet.data(), 1);
        if (got < 0) {
            return fail_errno(attempt);
        }
        if (got == 0 || octet[0] == '\n') {
            return line;
        }
        if (line.size() == longest) {
            return fail(attempt, "the line is too long");
        }
        line += octet[0];
    }
}

void say(int fd, const std::string& text) {
    [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
}

// The terminal as it was, whatever happens.
class Silence {
  public:
    explicit Silence(int fd) : fd_(fd), silent_(::tcgetattr(fd, &before_) == 0) {
        if (silent_) {
            termios quiet = before_;
            quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            silent_ = ::tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
        }
    }
    ~Silence() {
        if (silent_) {
            ::tcsetattr(fd_, TCSAFLUSH, &before_);
        }
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;
    [[nodiscard]] bool silent() const { return silent_; }

  private:
    int fd_;
    termios before_{};
    bool silent_;
};

Result<std::string> ask(int terminal, const std::string& prompt, const std::string& attempt) {
    const Silence silence(terminal);
    if (!silence.silent()) {
        return fail(attempt, "the terminal cannot be kept from showing it", "use --stdin");
    }
    say(terminal, prompt);
    auto line = read_line(terminal, attempt);
    say(terminal, "\n");
    return line;
}

} // namespace

Result<std::string> read_password(const std::string& of, bool from_stdin) {
    const std::string attempt = "read the password of " + of;
    if (from_stdin) {
        return read_line(STDIN_FILENO, attempt);
    }
    const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!terminal) {
        return fail_errno(attempt, errno, "there is no terminal: use --stdin");
    }
    auto first = ask(terminal.get(), "Password of " + of + ": ", attempt);
    if (!first) {
        return first;
    }
    const auto second = ask(terminal.get(), "The same again: ", attempt);
    if (!second) {
        return second;
    }
    return *first == *second ? first : Result<std::string>(fail(attempt, "the two differ", "try again"));
}

} // namespace stem::stemctl
