// SPDX-License-Identifier: Apache-2.0
// The processes that lab/process.h has running now, so that an interrupt can stop and name them.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace stem::lab {

class Running {
  public:
    static Running& instance();

    // Blocks for ever once stop_all_and_hold() has begun: nothing new is started or reaped then.
    void add(pid_t process, std::string name);
    void remove(pid_t process);
    // SIGTERM to the process group of each, two seconds to end, then SIGKILL. Returns "name (pid n)" of each.
    std::vector<std::string> stop_all_and_hold();

  private:
    std::mutex mutex_;
    std::map<pid_t, std::string> names_;
};

// Has the child ended? It is not reaped by the question.
[[nodiscard]] bool has_ended(pid_t child);

// What waitpid() stored, as a shell gives it: the exit status, or 128 + the signal.
[[nodiscard]] int shell_status(int wait_status);

} // namespace stem::lab
