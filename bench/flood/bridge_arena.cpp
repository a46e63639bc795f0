// SPDX-License-Identifier: Apache-2.0
#include "flood/arena.h"
#include "flood/plain_world.h"

namespace stem::bench {
namespace {

class BridgeArena : public Arena {
  public:
    explicit BridgeArena(PlainWorld plain) : plain_(std::move(plain)) {}
    [[nodiscard]] std::string label() const override { return "bridge"; }
    [[nodiscard]] const lab::World& world() const override { return plain_.world(); }
    Result<> refresh() override { return plain_.start_kamailio(); }

  private:
    PlainWorld plain_;
};

} // namespace

Result<std::unique_ptr<Arena>> make_bridge_arena() {
    auto plain = PlainWorld::create(lab::Mode::bridge);
    if (!plain) {
        return std::unexpected(plain.error());
    }
    return std::make_unique<BridgeArena>(std::move(*plain));
}

} // namespace stem::bench
