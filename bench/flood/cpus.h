// SPDX-License-Identifier: Apache-2.0
// Who runs where. The machine's last CPU has the flood and all that is outside: what is sent there is
// received and judged there too, as by a network card whose interrupts go to one CPU. If another CPU sent
// into the same port, the kernel would now and then judge the flood there, where a full queue waits for
// programs. The other CPUs have what is inside, and the subject's daemon.
#pragma once

#include <sched.h>

namespace stem::bench {

enum class Cpus { last, others };

// Keeps the calling thread, and what it starts, on those CPUs while it lives. A machine with one has no
// others: there it does nothing.
class KeepTo {
  public:
    explicit KeepTo(Cpus cpus);
    ~KeepTo();
    KeepTo(const KeepTo&) = delete;
    KeepTo& operator=(const KeepTo&) = delete;

  private:
    cpu_set_t before_{};
};

// The calling thread gives way to every other that wants its CPU.
void give_way();

} // namespace stem::bench
