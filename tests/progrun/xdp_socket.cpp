// SPDX-License-Identifier: Apache-2.0
#include "xdp_socket.h"

#include "map_access.h"

#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdint>

namespace stem::test {
namespace {

constexpr std::size_t frame_size = 2048;
constexpr std::size_t memory_size = 16 * frame_size;

template<typename T>
void set_option(int fd, int option, const T& value, const char* what) {
    if (setsockopt(fd, SOL_XDP, option, &value, sizeof(value)) != 0) {
        refuse(errno, what);
    }
}

} // namespace

XdpSocket::XdpSocket() : socket_(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    if (!socket_) {
        refuse(errno, "open an AF_XDP socket");
    }
    void* memory = mmap(nullptr, memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        refuse(errno, "map the UMEM");
    }
    memory_ = memory;
    xdp_umem_reg area{};
    area.addr = reinterpret_cast<std::uint64_t>(memory);
    area.len = memory_size;
    area.chunk_size = frame_size;
    constexpr int ring = 16;
    set_option(fd(), XDP_UMEM_REG, area, "register the UMEM");
    set_option(fd(), XDP_UMEM_FILL_RING, ring, "make the fill ring");
    set_option(fd(), XDP_UMEM_COMPLETION_RING, ring, "make the completion ring");
    set_option(fd(), XDP_RX_RING, ring, "make the receive ring");
}

XdpSocket::~XdpSocket() {
    socket_.reset();
    munmap(memory_, memory_size);
}

} // namespace stem::test
