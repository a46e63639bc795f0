// SPDX-License-Identifier: Apache-2.0
// The audit record of a request that changes something: who, what, and what it was before and after. Only
// what the API shows goes in, so that no secret can; never a request's body.
#pragma once

#include "sm/api_request.h"

namespace stem::sm {

class ChangeRecord {
  public:
    // Looks at what is there; `request` must outlive it. Of a GET nothing is recorded.
    explicit ChangeRecord(const ApiRequest& request);
    void write(const ApiReply& reply) const;

  private:
    const ApiRequest& request_;
    bool records_;
    boost::json::value before_;
};

} // namespace stem::sm
