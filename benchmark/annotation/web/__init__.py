"""The web server, pages and journal that review and rating share."""
