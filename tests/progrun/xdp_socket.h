// SPDX-License-Identifier: Apache-2.0
// An AF_XDP socket that is just enough of one to stand in the map `xsks`: UMEM and rings, bound to nothing.
#pragma once

#include <stem/unique_fd.h>

namespace stem::test {

class XdpSocket {
  public:
    XdpSocket(); // throws std::system_error
    ~XdpSocket();
    XdpSocket(const XdpSocket&) = delete;
    XdpSocket& operator=(const XdpSocket&) = delete;

    [[nodiscard]] int fd() const { return socket_.get(); }

  private:
    UniqueFd socket_;
    void* memory_ = nullptr;
};

} // namespace stem::test
