"""Who is in a conversation and what a team has, as the connector tells it.

learn.microsoft.com/microsoftteams/platform/bots/how-to/get-teams-context
"""

from aiohttp import web

from tests.platform.teams_rules import TeamsError, bad
from tests.platform.teams_state import Chat, Json, State, User

_SMALLEST_PAGE, _LARGEST_PAGE = 50, 500


def shown(user: User) -> Json:
    """Tell of somebody as the connector does."""
    address = f"{user.name}@{user.tenant.name}.example"
    return {
        "id": user.user_id,
        "name": user.name,
        "aadObjectId": user.aad_id,
        "objectId": user.aad_id,
        "givenName": user.name,
        "surname": user.tenant.name,
        "email": address,
        "userPrincipalName": address,
        "userRole": "user",
        "tenantId": user.tenant.tenant_id,
    }


class Roster:
    """Answer who and what there is."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.smallest_page = _SMALLEST_PAGE

    def _chats(self, request: web.Request) -> list[Chat]:
        """Find the chat of a conversation, or all channels of a team, whose id is as good here."""
        tenant, given = request.match_info["tenant"], request.match_info["conversation"]
        chat = self.state.chat_of(given)
        team = [one for one in self.state.chats.values() if given and one.team_id == given]
        found = [one for one in ([chat] if chat else team) if one.tenant.tenant_id == tenant]
        if not found:
            raise TeamsError(404, "ConversationNotFound", "Conversation not found.")
        if not any(one.installed for one in found):
            raise TeamsError(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        return found

    def _people(self, request: web.Request) -> list[User]:
        return list({user.user_id: user for chat in self._chats(request) for user in chat.members}.values())

    async def members(self, request: web.Request, _: Json) -> web.Response:
        return web.json_response([shown(user) for user in self._people(request)])

    async def paged(self, request: web.Request, _: Json) -> web.Response:
        """Give a page, never smaller than fifty nor larger than five hundred whatever was asked for."""
        people = self._people(request)
        asked, token = request.query.get("pageSize", "200"), request.query.get("continuationToken", "0")
        if not (asked.isdigit() and token.isdigit()):
            raise bad("The page is not known.")
        size, start = min(max(int(asked), self.smallest_page), _LARGEST_PAGE), int(token)
        found: Json = {"members": [shown(user) for user in people[start : start + size]]}
        if start + size < len(people):
            found["continuationToken"] = str(start + size)
        return web.json_response(found)

    async def member(self, request: web.Request, _: Json) -> web.Response:
        wanted = request.match_info["member"]
        for user in self._people(request):
            if wanted in (user.user_id, user.aad_id, shown(user)["userPrincipalName"]):
                return web.json_response(shown(user))
        raise TeamsError(404, "MemberNotFoundInConversation", "The member is not in the conversation.")

    def _team(self, request: web.Request) -> list[Chat]:
        channels = [chat for chat in self._chats(request) if chat.team_id == request.match_info["conversation"]]
        if not channels:
            raise TeamsError(404, "NotFound", "The team is not found.")
        return channels

    async def team(self, request: web.Request, _: Json) -> web.Response:
        channels = self._team(request)
        about = {
            "id": channels[0].team_id,
            "name": "team",
            "type": "standard",
            "tenantId": channels[0].tenant.tenant_id,
        }
        people = {user.user_id for chat in channels for user in chat.members}
        return web.json_response({**about, "channelCount": len(channels), "memberCount": len(people)})

    async def channels(self, request: web.Request, _: Json) -> web.Response:
        """List the channels of a team; the first is General, which has no name and the id of its team."""
        found = [{"id": chat.conversation_id, "name": chat.name or None} for chat in self._team(request)]
        return web.json_response({"conversations": found})
