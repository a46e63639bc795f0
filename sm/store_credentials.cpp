// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"
#include "sm/store_session.h"

namespace stem::sm {

using soci::use;

Result<> Store::put_credentials(std::string_view user, const Credentials& credentials) {
    return session_->write(
        fmt::format("write credentials of user {}", user), {StoreChange::Kind::user, std::string(user)}, [&] {
            const std::string owner(user);
            session_->sql << "INSERT INTO credentials (username, realm, owner, md5, sha256) "
                             "VALUES (:username, :realm, :owner, :md5, :sha256) "
                             "ON CONFLICT (username, realm) DO UPDATE SET owner = excluded.owner, "
                             "md5 = excluded.md5, sha256 = excluded.sha256",
                use(credentials.username), use(credentials.realm), use(owner), use(credentials.md5),
                use(credentials.sha256);
        });
}

Result<> Store::remove_credentials(std::string_view user, std::string_view username, std::string_view realm) {
    return session_->write(fmt::format("remove credentials of name {}", username),
                           {StoreChange::Kind::user, std::string(user)}, [&] {
                               const std::string name(username);
                               const std::string place(realm);
                               session_->sql
                                   << "DELETE FROM credentials WHERE username = :username AND realm = :realm",
                                   use(name), use(place);
                           });
}

Result<> Store::put_administrator(const Administrator& administrator) {
    return session_->write(
        "write administrator " + administrator.name, {StoreChange::Kind::administrators}, [&] {
            session_->sql << "INSERT INTO administrators (name, password) VALUES (:name, :password) "
                             "ON CONFLICT (name) DO UPDATE SET password = excluded.password",
                use(administrator.name), use(administrator.password);
        });
}

Result<> Store::remove_administrator(std::string_view name) {
    return session_->write(fmt::format("remove administrator {}", name), {StoreChange::Kind::administrators},
                           [&] {
                               const std::string key(name);
                               session_->sql << "DELETE FROM administrators WHERE name = :name", use(key);
                           });
}

} // namespace stem::sm
