// SPDX-License-Identifier: Apache-2.0
// The line that the data plane measures run on, in namespaces of its own:
//
//   outside            middle                 inside
//   source ──veth── external | internal ──veth── sink
//
// The middle judges. What reaches an outer end is dropped there in the driver. The middle also routes, for
// the peers that live in the kernel's IP layer; next hops are fixed, so that no frame but the generator's is
// about.
#pragma once

#include "plane/port.h"

#include "lab/netns.h"

#include <stem/error.h>

#include <memory>

namespace stem::bench {

class Line {
  public:
    static Result<std::unique_ptr<Line>> create();
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line();

    [[nodiscard]] const lab::Netns& middle() const noexcept { return middle_; }
    [[nodiscard]] const Port& source() const noexcept { return source_; }
    [[nodiscard]] const Port& external() const noexcept { return external_; }
    [[nodiscard]] const Port& internal() const noexcept { return internal_; }
    [[nodiscard]] const Port& sink() const noexcept { return sink_; }

  private:
    Line(lab::Netns outside, lab::Netns middle, lab::Netns inside);
    Result<> connect();
    Result<> route();
    Result<> end();

    lab::Netns outside_;
    lab::Netns middle_;
    lab::Netns inside_;
    Port source_;
    Port external_;
    Port internal_;
    Port sink_;
    struct Ends;
    std::unique_ptr<Ends> ends_;
};

} // namespace stem::bench
