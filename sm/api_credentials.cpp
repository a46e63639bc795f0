// SPDX-License-Identifier: Apache-2.0
// Passwords of users and administrators. They come in, and are hashed; neither they nor their hashes ever go
// out, and no error holds a part of them.
#include "sm/api_request.h"
#include "sm/auth/digest.h"
#include "sm/auth/password.h"
#include "sm/failure.h"
#include "sm/field_reader.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <fmt/format.h>

namespace stem::sm {
namespace {

namespace json = boost::json;

json::object to_json(const Credentials& credentials) {
    json::array algorithms;
    if (!credentials.sha256.empty()) {
        algorithms.emplace_back("SHA-256");
    }
    if (!credentials.md5.empty()) {
        algorithms.emplace_back("MD5");
    }
    return {{"username", credentials.username},
            {"realm", credentials.realm},
            {"algorithms", std::move(algorithms)}};
}

json::object list_of(const std::vector<Credentials>& all) {
    json::array list;
    for (const Credentials& credentials : all) {
        list.push_back(to_json(credentials));
    }
    return {{"credentials", std::move(list)}};
}

// Without the field: all.
std::vector<auth::Algorithm> algorithms_from(FieldReader& fields) {
    if (!fields.has("algorithms")) {
        return {auth::Algorithm::sha256, auth::Algorithm::md5};
    }
    std::vector<auth::Algorithm> list;
    for (const std::string& name : fields.texts("algorithms")) {
        if (const auto algorithm = auth::algorithm_from(name)) {
            list.push_back(*algorithm);
        } else {
            fields.blame("algorithms", Error{"read it", "neither SHA-256 nor MD5", "name these", EINVAL});
        }
    }
    return list;
}

// A password, or the hashes of one that whoever asks has made: {"password"} or {"md5", "sha256"}.
Result<Credentials> credentials_from(const json::value& body, const std::string& user,
                                     const std::string& realm) {
    FieldReader fields(body, "credentials", {"username", "realm", "password", "md5", "sha256", "algorithms"});
    Credentials read{.username = fields.text("username").value_or(user),
                     .realm = fields.text("realm").value_or(realm),
                     .md5 = fields.text("md5").value_or(""),
                     .sha256 = fields.text("sha256").value_or("")};
    const auto password = fields.text("password");
    const auto algorithms = algorithms_from(fields);
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    if (!password) {
        return read;
    }
    if (!read.md5.empty() || !read.sha256.empty()) {
        return invalid("read credentials", "a password, and hashes beside it", "send one or the other");
    }
    if (auto good = auth::check_password_form(*password, auth::shortest_password); !good) {
        return std::unexpected(good.error());
    }
    for (const auth::Algorithm algorithm : algorithms) {
        (algorithm == auth::Algorithm::md5 ? read.md5 : read.sha256) =
            auth::make_ha1(algorithm, read.username, read.realm, *password);
    }
    return read;
}

ApiReply put_administrator(ApiRequest& request, const std::string& name) {
    FieldReader fields(request.body, "administrator", {"password", "elsewhere"});
    const bool elsewhere = fields.boolean("elsewhere").value_or(false);
    const std::string password = elsewhere ? std::string() : fields.required_text("password");
    if (elsewhere && fields.has("password")) {
        fields.blame("password", Error{"read both", "it is kept elsewhere", "send one of them", EINVAL});
    }
    if (fields.fault()) {
        return failed(*fields.fault());
    }
    if (auto good = check_name("administrator", name); !good) {
        return failed(good.error());
    }
    if (elsewhere) {
        return no_content(request.directory.set_administrator(name, {}));
    }
    if (auto good = auth::check_password_form(password, auth::shortest_administrators_password); !good) {
        return failed(good.error());
    }
    auto encoded = auth::hash_password(password);
    if (!encoded) {
        return failed(encoded.error());
    }
    return no_content(request.directory.set_administrator(name, std::move(*encoded)));
}

} // namespace

ApiReply handle_credentials(ApiRequest& request, const std::string& user) {
    if (request.method == "DELETE") {
        if (auto refused = request.refuse_query({"username", "realm"})) {
            return std::move(*refused);
        }
        return no_content(request.directory.remove_credentials(
            user, request.query_or("username", user),
            request.query_or("realm", request.admission.decider().settings().realm)));
    }
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    if (request.method == "PUT") {
        auto read = credentials_from(request.body, user, request.admission.decider().settings().realm);
        if (!read) {
            return failed(read.error());
        }
        if (auto set = request.directory.set_credentials(user, std::move(*read)); !set) {
            return failed(set.error());
        }
    } else if (request.method != "GET") {
        return wrong_method(request, "GET, PUT, DELETE");
    }
    const auto all = request.directory.credentials(user);
    return all ? ApiReply{.status = 200, .json = list_of(*all)} : failed(all.error());
}

ApiReply handle_administrators(ApiRequest& request) {
    if (auto refused = request.refuse_query({})) {
        return std::move(*refused);
    }
    if (request.path.size() == 1) {
        if (request.method != "GET") {
            return wrong_method(request, "GET");
        }
        json::array names;
        for (const std::string& name : request.directory.administrators()) {
            names.emplace_back(name);
        }
        return {.status = 200, .json = json::object{{"administrators", std::move(names)}}};
    }
    if (request.path.size() != 2) {
        return no_route(request.method, "/v1/administrators/...");
    }
    if (request.method == "PUT") {
        return put_administrator(request, request.path[1]);
    }
    if (request.method == "DELETE") {
        return no_content(request.directory.remove_administrator(request.path[1]));
    }
    return wrong_method(request, "PUT, DELETE");
}

} // namespace stem::sm
