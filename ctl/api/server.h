// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server on a unix socket, in the event loop of its caller. Who may connect is a matter of the
// socket's permissions; what one connection can cost is bounded in size, time and number.
#pragma once

#include <stem/error.h>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

#include "ctl/api/message.h"

namespace boost::asio {
class io_context;
}

namespace stem::api {

struct ServerSettings {
    std::filesystem::path socket;
    mode_t mode = 0660;
    std::size_t connections = 32;            // one more is closed at once
    std::size_t header_limit = 8192;         // octets
    std::size_t body_limit = 1024U * 1024U;  // octets
    std::chrono::milliseconds timeout{5000}; // for a request to come, and for its answer to be taken
};

class Server {
  public:
    using Handler = std::function<Response(const Request&)>;

    // Replaces a socket file that nobody listens on any more: the caller makes sure that it is the only
    // server of this path (stemd holds its instance's lock). A file that is no socket is refused.
    static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& loop, ServerSettings settings,
                                                  Handler handler);
    // Closes all connections and removes the socket file.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

  private:
    class Listener;
    explicit Server(std::shared_ptr<Listener> listener);
    std::shared_ptr<Listener> listener_;
};

} // namespace stem::api
